"""Captioning at the speed of the hardware: upstream's loop, our worker, and the parts alone.

All on the same images and weights, one after the other in one run, each in a process of its own.
Loading is not counted; everything from the first image to the last caption is.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import psutil

from engine.captioners.registry import FAMILIES, ModelChoice, Settings, choose
from engine.captioners.settings import QUANTIZED
from engine.demo.scenes import write
from engine.hardware.devices import find, gpus
from engine.launchers.local import LocalLauncher
from engine.operations.new_project import NewProject, create
from engine.process.pool import cores
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.supervisor.supervisor import Supervisor
from tests.bench.made import Run, measured
from tests.bench.report import report

DEMO = Path("engine/demo/checkpoints")
DRAWN_SIZE = (640, 480)
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
COUNT, GPU_COUNT = 960, 4800
"""Images: enough for the batch to grow, and to caption with it after that."""


class Model(NamedTuple):
    family: str
    checkpoint: str
    """A folder, or `random-7b`."""
    settings: Settings
    device: str

    def load(self) -> Any:
        if self.checkpoint == "random-7b":
            from tests.bench.random_models import load

            return load(self.family, self.settings, self.device)
        return FAMILIES[self.family].load(self.checkpoint, self.settings, self.device)


class Rate(NamedTuple):
    """Of one image: images a second, and processor seconds an image."""

    images: float
    cpu: float | None


def main(cases: list[str]) -> None:
    wanted = arguments(cases)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = choose_model(wanted, folder)
        count = wanted.count or (COUNT if model.device == "cpu" else GPU_COUNT)
        run(model, find_images(wanted.images, count, folder), folder)


def arguments(cases: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench engine", description=__doc__)
    parser.add_argument("--model", default="llava-1.5")
    parser.add_argument("--checkpoint", default="demo", help="DIR, random-7b, demo or small")
    parser.add_argument("--images", default="drawn", help="DIR or drawn")
    parser.add_argument("--batch", type=int, help="the preset's, which grows in the worker")
    parser.add_argument("--count", type=int, help=f"{COUNT}, {GPU_COUNT} on a GPU")
    parser.add_argument("--device", default=None, help="cpu or cuda")
    parser.add_argument("--fast-decode", action="store_true")
    parser.add_argument("--no-graphs", action="store_true", help="launch every operation")
    parser.add_argument("--overlap", action="store_true", help="two batches at a time on a GPU")
    parser.add_argument("--quantize", choices=QUANTIZED, default="none", help="not upstream's")
    return parser.parse_args(cases)


def find_images(source: str, count: int, folder: Path) -> list[str]:
    """So many, the same again where there are fewer."""
    if source == "drawn":
        write(folder / "drawn", min(count, COUNT), 7, DRAWN_SIZE)
        found = sorted((folder / "drawn/images").iterdir())
    else:
        found = sorted(it for it in Path(source).rglob("*") if it.suffix.lower() in SUFFIXES)
    if not found:
        raise SystemExit(f"no images in {source}")
    return [str(found[number % len(found)].absolute()) for number in range(count)]


def choose_model(wanted: argparse.Namespace, folder: Path) -> Model:
    device = wanted.device or ("cuda" if gpus() else "cpu")
    checkpoint = wanted.checkpoint
    if checkpoint == "demo":
        checkpoint = str((DEMO / wanted.model).absolute())
        if not Path(checkpoint).is_dir():
            raise SystemExit(f"there is no demo checkpoint of {wanted.model}: --checkpoint small")
    elif checkpoint == "small":
        from tests.support.checkpoints import CHECKPOINTS

        checkpoint = str(CHECKPOINTS[wanted.model](folder / "small"))
    elif checkpoint == "random-7b":
        from tests.bench.random_models import check_room

        check_room(wanted.model, device)
    else:
        checkpoint = str(Path(checkpoint).absolute())
    changes: dict[str, Any] = {}
    if wanted.batch:
        changes |= {"batch": wanted.batch, "auto_batch": False}
    if wanted.fast_decode:
        changes["fast_decode"] = True
    if wanted.no_graphs:
        changes["graphs"] = False
    if wanted.overlap:
        changes["overlap"] = True
    if wanted.quantize != "none":
        changes["quantize"] = wanted.quantize
        check_quantize(wanted.quantize, device)
    paper = FAMILIES[wanted.model].presets["paper"]
    return Model(wanted.model, checkpoint, Settings.of(asdict(paper) | changes), device)


def run(model: Model, images: list[str], folder: Path) -> None:
    grows = " and up" if model.settings.auto_batch else ""
    case = f"{model.family} {Path(model.checkpoint).name} batch {model.settings.batch}{grows}"
    case += ", fast decode" if model.settings.fast_decode else ""
    case += "" if model.settings.graphs else ", no graphs"
    case += ", overlap" if model.settings.overlap else ""
    case += "" if model.settings.quantize == "none" else f", {model.settings.quantize}"

    def tell(
        name: str, value: float, unit: str = "images/s", baseline: float | None = None
    ) -> None:
        report("engine", f"{name} ({case})", value, unit, baseline)

    plain = model._replace(settings=replace(model.settings, quantize="none"))
    theirs, stolen = with_stolen(upstream, plain, images, folder)
    upstream_rate = theirs.result
    tell("upstream", upstream_rate.images)
    tell("upstream_stolen", stolen, "share of core time")
    tell("upstream_cpu", upstream_rate.cpu * 1e3, "ms/image")
    tell("upstream_memory", theirs.megabytes, "MB")
    ours, stolen = with_stolen(worker, model, images, folder)
    worker_rate, batch = ours.result
    tell("worker", worker_rate.images, baseline=upstream_rate.images)
    tell("worker_stolen", stolen, "share of core time")
    tell("worker_cpu", worker_rate.cpu * 1e3, "ms/image", upstream_rate.cpu * 1e3)
    tell("worker_memory", ours.megabytes, "MB")
    tell("worker_batch", batch, "images")
    alone = measured(parts, model, images, batch).result
    for name, rate in alone.items():
        tell(name, rate.images)
        if rate.cpu is not None:
            tell(f"{name}_cpu", rate.cpu * 1e3, "ms/image")
    if model.device == "cpu":
        shared = parts_beside(model, images, batch)
        for name, rate in shared.items():
            tell(f"{name}_beside_cpu", rate.cpu * 1e3, "ms/image")
        tell("worker_over_limit_beside", worker_rate.images / limit(model, shared), "ratio")
    tell("worker_over_upstream", worker_rate.images / upstream_rate.images, "ratio")
    tell("worker_over_limit", worker_rate.images / limit(model, alone), "ratio")
    if model.device != "cpu":
        tell("worker_over_roofline", worker_rate.images / alone["roofline"].images, "ratio")


def with_stolen(work: Callable[..., Any], *arguments: Any) -> tuple[Run, float]:
    """Also the share of the cores' time that a virtual machine's host gave to others."""
    before = psutil.cpu_times()
    run = measured(work, *arguments)
    after = psutil.cpu_times()
    return run, (getattr(after, "steal", 0) - getattr(before, "steal", 0)) / (
        sum(after) - sum(before)
    )


def parts_beside(model: Model, images: list[str], batch: int) -> dict[str, Rate]:
    """Decoding on one half of the cores while the model is on the other.

    They share caches, memory and power: beside each other both take longer than alone.
    """
    count = max(2, cores())
    ready = get_context("spawn").Barrier(count)
    with ThreadPoolExecutor(count) as pool:
        halves = pool.map(
            lambda n: measured(beside, model, images, batch, n % 2 == 1, ready).result, range(count)
        )
    found: dict[str, list[Rate]] = {}
    for half in halves:
        for name, rate in half.items():
            found.setdefault(name, []).append(rate)
    return {
        name: Rate(fmean(it.images for it in rates), fmean(it.cpu for it in rates))
        for name, rates in found.items()
    }


def limit(model: Model, alone: dict[str, Rate]) -> float:
    """Images a second that the hardware allows."""
    if model.device == "cpu":
        return cores() / sum(rate.cpu for rate in alone.values())
    generating = 1 / (1 / alone["prefill"].images + 1 / alone["decode_steps"].images)
    return min(alone["decode_all_cores"].images, generating)


def worker(model: Model, images: list[str], folder: Path) -> tuple[Rate, int]:
    """`run` on a project of these images, and the batch that it came to."""
    captions = folder / "captions.json"
    captions.write_text(json.dumps([{"image": image, "caption": ""} for image in images]))
    if model.checkpoint == "random-7b":
        settings = asdict(model.settings)
        chosen = ModelChoice(model.family, model.family, None, settings, "random")
        module = "tests.bench.random_worker"
    else:
        changes = {
            "batch": "auto" if model.settings.auto_batch else str(model.settings.batch),
            "fast_decode": "yes" if model.settings.fast_decode else "no",
            "graphs": "yes" if model.settings.graphs else "no",
            "overlap": "yes" if model.settings.overlap else "no",
            "quantize": model.settings.quantize,
        }
        chosen = choose(f"{model.family}={model.checkpoint}", "paper", changes)
        module = "engine.worker.worker"
    wanted = NewProject([captions], [chosen], shard_size=10_000, allow_outside=True)
    project = create(folder / "run", wanted).project
    spec = "cpu" if model.device == "cpu" else "0"
    with ProjectLock(project.lock) as lock:
        timed = Timed(project, LocalLauncher(project, find(spec), module), spec=spec, lock=lock)
        if not timed.run():
            raise SystemExit("the run did not finish")
    check(project, len(images))
    seconds, cpu = timed.last[0] - timed.first[0], timed.last[1] - timed.first[1]
    sizes = timed.project_state.batch_sizes.values()
    return Rate(len(images) / seconds, cpu / len(images)), max(sizes, default=model.settings.batch)


def upstream(model: Model, images: list[str], folder: Path) -> Rate:
    """Imported where it runs."""
    from tests.bench.upstream_engine import upstream as loop

    rate: Rate = loop(model, images, folder)
    return rate


def parts(model: Model, images: list[str], batch: int) -> dict[str, Rate]:
    """Imported where they run."""
    from tests.bench.parts import parts as alone

    return alone(model, images, batch)


def check_quantize(how: str, device: str) -> None:
    """Ends the bench, in words, where this machine cannot do it."""
    from engine.captioners.base import CheckpointError
    from engine.captioners.checkpoints.quantization import check

    try:
        check(how, device)
    except CheckpointError as error:
        raise SystemExit(str(error)) from error


def beside(model: Model, *arguments: Any) -> dict[str, Rate]:
    """Imported where it runs."""
    from tests.bench.parts import beside as part

    return part(model, *arguments)


def check(project: Project, images: int) -> None:
    rows = sum(log.read_bytes().count(b'"raw"') for log in project.captions.glob("*/?????.jsonl"))
    if rows != images:
        raise SystemExit(f"{rows} captions for {images} images")


class Timed(Supervisor):
    """Notes wall and processor seconds, its own and its worker's, from `loaded` to the last row."""

    first = last = (0.0, 0.0)

    def receive(self, handle: Any, message: Any) -> None:
        kind = message["type"] if isinstance(message, dict) else None
        if kind in ("loaded", "rows"):
            times = psutil.Process(handle.pid).cpu_times()
            now = (time.perf_counter(), times.user + times.system + time.process_time())
            self.first, self.last = (now, now) if kind == "loaded" else (self.first, now)
        super().receive(handle, message)
