"""Captioning at the speed of the hardware: upstream's loop, our worker, and its stages alone.

All use the same images and weights, one after the other in one run, each in a process of its own.
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
from engine.captioners.settings import QUANTIZATIONS
from engine.demo.scenes import write_scenes
from engine.hardware.devices import find_devices, visible_gpus
from engine.launchers.local import LocalLauncher
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.protocol.messages import Loaded, Rows
from engine.supervisor.supervisor import Supervisor
from engine.utils.cpu_count import usable_cores
from tests.bench.measuring import Measurement, measure
from tests.bench.report import report

DEMO = Path("engine/demo/checkpoints")
DRAWN_SIZE = (640, 480)
"""Width and height of the drawn images, in pixels."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
COUNT, GPU_COUNT = 960, 4800
"""Number of images on a CPU and on a GPU: enough for the batch to grow, and to caption with it
then."""


class BenchModel(NamedTuple):
    """The model that is measured, and its device."""

    family: str
    checkpoint: str
    """A folder, or `random-7b`: random weights of the official size."""
    settings: Settings
    device: str

    def load(self) -> Any:
        """Return the captioner."""
        if self.checkpoint == "random-7b":
            from tests.bench.random_models import load

            return load(self.family, self.settings, self.device)
        return FAMILIES[self.family].load(self.checkpoint, self.settings, self.device)


class CaptioningRate(NamedTuple):
    """How fast something is done with images."""

    images: float
    """Images a second."""
    cpu: float | None
    """CPU seconds an image; None if they say nothing."""


def main(cases: list[str]) -> None:
    options = parse_options(cases)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = choose_model(options, folder)
        count = options.count or (COUNT if model.device == "cpu" else GPU_COUNT)
        run(model, find_images(options.images, count, folder), folder)


def parse_options(cases: list[str]) -> argparse.Namespace:
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
    parser.add_argument("--quantize", choices=QUANTIZATIONS, default="none", help="not upstream's")
    return parser.parse_args(cases)


def find_images(source: str, count: int, folder: Path) -> list[str]:
    """Return the paths of `count` images of the source, repeated if it has fewer."""
    if source == "drawn":
        write_scenes(folder / "drawn", min(count, COUNT), 7, DRAWN_SIZE)
        paths = sorted((folder / "drawn/images").iterdir())
    else:
        paths = sorted(path for path in Path(source).rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"no images in {source}")
    return [str(paths[number % len(paths)].absolute()) for number in range(count)]


def choose_model(options: argparse.Namespace, folder: Path) -> BenchModel:
    """Return the model that the options name. Ends the bench if this machine cannot run it."""
    device = options.device or ("cuda" if visible_gpus() else "cpu")
    checkpoint = options.checkpoint
    if checkpoint == "demo":
        checkpoint = str((DEMO / options.model).absolute())
        if not Path(checkpoint).is_dir():
            raise SystemExit(f"there is no demo checkpoint of {options.model}: --checkpoint small")
    elif checkpoint == "small":
        from tests.support.checkpoints import CHECKPOINTS

        checkpoint = str(CHECKPOINTS[options.model](folder / "small"))
    elif checkpoint == "random-7b":
        from tests.bench.random_models import check_host_memory

        check_host_memory(options.model, device)
    else:
        checkpoint = str(Path(checkpoint).absolute())
    changes: dict[str, Any] = {}
    if options.batch:
        changes |= {"batch": options.batch, "auto_batch": False}
    if options.fast_decode:
        changes["fast_decode"] = True
    if options.no_graphs:
        changes["graphs"] = False
    if options.overlap:
        changes["overlap"] = True
    if options.quantize != "none":
        changes["quantize"] = options.quantize
        check_quantize(options.quantize, device)
    paper = FAMILIES[options.model].presets["paper"]
    return BenchModel(options.model, checkpoint, Settings.of(asdict(paper) | changes), device)


def run(model: BenchModel, images: list[str], folder: Path) -> None:
    """Measure upstream's loop, the worker and the stages, and report all figures."""
    grows = " and up" if model.settings.auto_batch else ""
    case = f"{model.family} {Path(model.checkpoint).name} batch {model.settings.batch}{grows}"
    case += ", fast decode" if model.settings.fast_decode else ""
    case += "" if model.settings.graphs else ", no graphs"
    case += ", overlap" if model.settings.overlap else ""
    case += "" if model.settings.quantize == "none" else f", {model.settings.quantize}"

    def report_value(
        name: str, value: float, unit: str = "images/s", baseline: float | None = None
    ) -> None:
        report("engine", f"{name} ({case})", value, unit, baseline)

    plain = model._replace(settings=replace(model.settings, quantize="none"))
    theirs, stolen = measure_with_steal(run_upstream, plain, images, folder)
    upstream_rate = theirs.result
    report_value("upstream", upstream_rate.images)
    report_value("upstream_stolen", stolen, "share of core time")
    report_value("upstream_cpu", upstream_rate.cpu * 1e3, "ms/image")
    report_value("upstream_memory", theirs.megabytes, "MB")
    ours, stolen = measure_with_steal(run_worker, model, images, folder)
    worker_rate, batch = ours.result
    report_value("worker", worker_rate.images, baseline=upstream_rate.images)
    report_value("worker_stolen", stolen, "share of core time")
    report_value("worker_cpu", worker_rate.cpu * 1e3, "ms/image", upstream_rate.cpu * 1e3)
    report_value("worker_memory", ours.megabytes, "MB")
    report_value("worker_batch", batch, "images")
    alone = measure(stages_alone, model, images, batch).result
    for name, rate in alone.items():
        report_value(name, rate.images)
        if rate.cpu is not None:
            report_value(f"{name}_cpu", rate.cpu * 1e3, "ms/image")
    if model.device == "cpu":
        shared = measure_stages_side_by_side(model, images, batch)
        for name, rate in shared.items():
            report_value(f"{name}_beside_cpu", (rate.cpu or 0.0) * 1e3, "ms/image")
        report_value(
            "worker_over_limit_beside", worker_rate.images / hardware_limit(model, shared), "ratio"
        )
    report_value("worker_over_upstream", worker_rate.images / upstream_rate.images, "ratio")
    report_value("worker_over_limit", worker_rate.images / hardware_limit(model, alone), "ratio")
    if model.device != "cpu":
        report_value("worker_over_roofline", worker_rate.images / alone["roofline"].images, "ratio")


def measure_with_steal(work: Callable[..., Any], *arguments: Any) -> tuple[Measurement, float]:
    """Measure a function. Return also the share of CPU time that the host of a virtual machine took
    away for others meanwhile."""
    before = psutil.cpu_times()
    run = measure(work, *arguments)
    after = psutil.cpu_times()
    return run, (getattr(after, "steal", 0) - getattr(before, "steal", 0)) / (
        sum(after) - sum(before)
    )


def measure_stages_side_by_side(
    model: BenchModel, images: list[str], batch: int
) -> dict[str, CaptioningRate]:
    """Measure decoding on one half of the cores while the model runs on the other half.

    Both take longer than alone, since they share caches, memory bandwidth and power.
    """
    count = max(2, usable_cores())
    ready = get_context("spawn").Barrier(count)
    with ThreadPoolExecutor(count) as pool:
        halves = pool.map(
            lambda n: measure(stages_beside_others, model, images, batch, n % 2 == 1, ready).result,
            range(count),
        )
    rates_by_stage: dict[str, list[CaptioningRate]] = {}
    for half in halves:
        for name, rate in half.items():
            rates_by_stage.setdefault(name, []).append(rate)
    return {
        name: CaptioningRate(
            images=fmean(rate.images for rate in rates),
            cpu=fmean(rate.cpu or 0.0 for rate in rates),
        )
        for name, rates in rates_by_stage.items()
    }


def hardware_limit(model: BenchModel, alone: dict[str, CaptioningRate]) -> float:
    """Return the images a second that the hardware allows, from the rates of the stages alone."""
    if model.device == "cpu":
        return usable_cores() / sum(rate.cpu or 0.0 for rate in alone.values())
    generating = 1 / (1 / alone["prefill"].images + 1 / alone["decode_steps"].images)
    return min(alone["decode_all_cores"].images, generating)


def run_worker(model: BenchModel, images: list[str], folder: Path) -> tuple[CaptioningRate, int]:
    """Run a project of these images. Return the rate, and the batch size at the end of the run."""
    captions = folder / "captions.json"
    captions.write_text(json.dumps([{"image": image, "caption": ""} for image in images]))
    if model.checkpoint == "random-7b":
        settings = asdict(model.settings)
        model_choice = ModelChoice(
            name=model.family,
            family=model.family,
            checkpoint=None,
            settings=settings,
            settings_hash="random",
        )
        module = "tests.bench.random_worker"
    else:
        changes = {
            "batch": "auto" if model.settings.auto_batch else str(model.settings.batch),
            "fast_decode": "yes" if model.settings.fast_decode else "no",
            "graphs": "yes" if model.settings.graphs else "no",
            "overlap": "yes" if model.settings.overlap else "no",
            "quantize": model.settings.quantize,
        }
        model_choice = choose(f"{model.family}={model.checkpoint}", "paper", changes)
        module = "engine.worker.worker"
    new_project = NewProject(
        captions=[captions], models=[model_choice], shard_size=10_000, allow_outside=True
    )
    project = create(folder / "run", new_project).project
    spec = "cpu" if model.device == "cpu" else "0"
    with ProjectLock(project.lock) as lock:
        launcher = LocalLauncher(project, find_devices(spec), module)
        supervisor = WorkerTimingSupervisor(project, launcher, spec=spec, lock=lock)
        if not supervisor.run():
            raise SystemExit("the run did not finish")
    check(project, len(images))
    seconds = supervisor.last[0] - supervisor.first[0]
    cpu = supervisor.last[1] - supervisor.first[1]
    sizes = supervisor.project_state.batch_sizes.values()
    return CaptioningRate(len(images) / seconds, cpu / len(images)), max(
        sizes, default=model.settings.batch
    )


def run_upstream(model: BenchModel, images: list[str], folder: Path) -> CaptioningRate:
    """Run upstream's loop."""
    # Imported only in the process that runs it: it needs torch.
    from tests.bench.upstream_engine import run_upstream_loop

    rate: CaptioningRate = run_upstream_loop(model, images, folder)
    return rate


def stages_alone(model: BenchModel, images: list[str], batch: int) -> dict[str, CaptioningRate]:
    """Measure each stage while nothing else runs."""
    from tests.bench.stages import measure_stages

    return measure_stages(model, images, batch)


def check_quantize(how: str, device: str) -> None:
    """End the bench with a message if this machine cannot quantize so."""
    from engine.captioners.base import CheckpointError
    from engine.captioners.checkpoints.quantization import check_quantization

    try:
        check_quantization(how, device)
    except CheckpointError as error:
        raise SystemExit(str(error)) from error


def stages_beside_others(model: BenchModel, *arguments: Any) -> dict[str, CaptioningRate]:
    """Measure decoding, or the model's stages, while other processes measure, too."""
    from tests.bench.stages import measure_stages_beside_others

    return measure_stages_beside_others(model, *arguments)


def check(project: Project, images: int) -> None:
    """End the bench if an image has no caption."""
    rows = sum(log.read_bytes().count(b'"raw"') for log in project.captions.glob("*/?????.jsonl"))
    if rows != images:
        raise SystemExit(f"{rows} captions for {images} images")


class WorkerTimingSupervisor(Supervisor):
    """A supervisor that notes the seconds and CPU seconds from `loaded` to the last row."""

    first = last = (0.0, 0.0)
    """Seconds, and CPU seconds of supervisor and worker, at `loaded` and the last rows message."""

    def receive(self, handle: Any, message: Any) -> None:
        loaded = isinstance(message, Loaded)
        if loaded or isinstance(message, Rows):
            times = psutil.Process(handle.pid).cpu_times()
            now = (time.perf_counter(), times.user + times.system + time.process_time())
            self.first, self.last = (now, now) if loaded else (self.first, now)
        super().receive(handle, message)
