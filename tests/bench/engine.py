"""Captioning at the speed of the hardware: upstream's loop, our worker, and its stages alone.

All use the same images and weights, one after the other in one run, each in a process of its own.
Loading is not counted; everything from the first image to the last caption is. With `--beside`,
another engine captions them, too, in turns with the worker, both greedily.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
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
from tests.bench.beside import PEERS, PeerMissing, PeerRun, run_peer
from tests.bench.measuring import Measurement, measure
from tests.bench.report import report

DEMO = Path("engine/demo/checkpoints")
DRAWN_SIZE = (640, 480)
"""Width and height of the drawn images, in pixels."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
COUNT, MEDIUM_COUNT, GPU_COUNT = 960, 96, 4800
"""Number of images on a CPU, there with the medium model, and on a GPU: enough for the batch to
grow, and to caption with it then."""


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


class WorkerRun(NamedTuple):
    """A run of the worker on a project of the images."""

    rate: CaptioningRate
    batch: int
    """The batch size at the end."""
    start_up: float
    """Seconds until the model was loaded."""
    first_caption: float
    """Seconds from then until the first caption."""
    page_faults: float
    """Page faults of the worker an image, from then on."""
    texts: list[str]


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
        images = find_images(options.images, options.count or usual_count(options, model), folder)
        run(model, images, folder)
        if options.beside:
            run_beside(model, options.beside, options.peer_python, options.rounds, images, folder)


def usual_count(options: argparse.Namespace, model: BenchModel) -> int:
    if model.device != "cpu":
        return GPU_COUNT
    return MEDIUM_COUNT if options.checkpoint == "medium" else COUNT


def parse_options(cases: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench engine", description=__doc__)
    parser.add_argument("--model", default="llava-1.5")
    parser.add_argument(
        "--checkpoint",
        default="demo",
        help="DIR, random-7b, medium (llava-1.5 only), demo or small",
    )
    parser.add_argument("--images", default="drawn", help="DIR or drawn")
    parser.add_argument("--batch", type=int, help="the preset's, which grows in the worker")
    parser.add_argument("--count", type=int, help=f"{COUNT}, {GPU_COUNT} on a GPU")
    parser.add_argument("--device", default=None, help="cpu or cuda")
    parser.add_argument("--fast-decode", action="store_true")
    parser.add_argument("--no-graphs", action="store_true", help="launch every operation")
    parser.add_argument("--overlap", action="store_true", help="two batches at a time on a GPU")
    parser.add_argument("--quantize", choices=QUANTIZATIONS, default="none", help="not upstream's")
    parser.add_argument("--beside", choices=PEERS, help="another engine, in turns with the worker")
    parser.add_argument("--peer-python", default=sys.executable, help="its interpreter")
    parser.add_argument("--rounds", type=int, default=1, help="turns of the worker and the other")
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
    elif checkpoint == "medium":
        from tests.bench.medium_model import write_medium

        if options.model != "llava-1.5":
            raise SystemExit("the medium checkpoint is one of llava-1.5")
        checkpoint = str(write_medium(DEMO / options.model, folder / "medium"))
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
    if options.beside:
        changes["temperature"] = 0.0
    paper = FAMILIES[options.model].presets["paper"]
    return BenchModel(options.model, checkpoint, Settings.of(asdict(paper) | changes), device)


def run(model: BenchModel, images: list[str], folder: Path) -> None:
    """Measure upstream's loop, the worker and the stages, and report all figures."""
    report_value = partial(report_case, model)
    plain = model._replace(settings=replace(model.settings, quantize="none"))
    theirs, stolen = measure_with_steal(run_upstream, plain, images, folder)
    upstream_rate = theirs.result
    report_value("upstream", upstream_rate.images)
    report_value("upstream_stolen", stolen, "share of core time")
    report_value("upstream_cpu", upstream_rate.cpu * 1e3, "ms/image")
    report_value("upstream_memory", theirs.megabytes, "MB")
    ours, stolen = measure_with_steal(run_worker, model, images, folder / "alone")
    worker_run: WorkerRun = ours.result
    worker_rate, batch = worker_run.rate, worker_run.batch
    report_value("worker", worker_rate.images, baseline=upstream_rate.images)
    report_value("worker_stolen", stolen, "share of core time")
    report_value("worker_cpu", (worker_rate.cpu or 0.0) * 1e3, "ms/image", upstream_rate.cpu * 1e3)
    report_value("worker_memory", ours.megabytes, "MB")
    report_value("worker_batch", batch, "images")
    report_value("worker_start_up", worker_run.start_up, "s")
    report_value("worker_first_caption", worker_run.first_caption, "s")
    report_value("worker_page_faults", worker_run.page_faults, "faults/image")
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
    bound = "ceiling" if model.device == "cpu" else "roofline"
    report_value(f"worker_over_{bound}", worker_rate.images / alone[bound].images, "ratio")


def report_case(
    model: BenchModel,
    name: str,
    value: float,
    unit: str = "images/s",
    baseline: float | None = None,
) -> None:
    """Report a value, with the model, its batch size and the options that are not the usual ones
    in fields of their own."""
    settings = model.settings
    options = [
        ("batch grows", settings.auto_batch),
        ("fast decode", settings.fast_decode),
        ("no graphs", not settings.graphs),
        ("overlap", settings.overlap),
        (settings.quantize, settings.quantize != "none"),
    ]
    report(
        "engine",
        name,
        value,
        unit,
        baseline,
        model=f"{model.family} {Path(model.checkpoint).name}",
        batch=settings.batch,
        options=", ".join(option for option, chosen in options if chosen),
    )


def run_beside(
    model: BenchModel, peer: str, python: str, rounds: int, images: list[str], folder: Path
) -> None:
    """Caption the images in turns with the worker and with a peer, and report both.

    A peer that cannot run here is skipped, and the reason is printed to stderr.
    """
    report_value = partial(report_case, model)
    settings = model.settings
    request = {
        "checkpoint": model.checkpoint,
        "prompt": settings.prompt,
        "max_new_tokens": settings.max_new_tokens,
        "batch": settings.batch,
        "images": images,
    }
    for number in range(rounds):
        theirs, stolen = measure_with_steal(run_peer, peer, python, request, folder)
        if isinstance(theirs.result, PeerMissing):
            sys.stderr.write(f"{peer} is skipped: {theirs.result.reason}\n")
            return
        peer_run: PeerRun = theirs.result
        peer_rate = len(images) / peer_run.seconds
        report_value(peer, peer_rate)
        report_value(f"{peer}_stolen", stolen, "share of core time")
        report_value(f"{peer}_cpu", peer_run.cpu / len(images) * 1e3, "ms/image")
        report_value(f"{peer}_memory", theirs.megabytes, "MB")
        report_value(f"{peer}_start_up", peer_run.start_up, "s")
        report_value(f"{peer}_load", psutil.getloadavg()[0], "processes")
        ours = measure(run_worker, model, images, folder / f"round-{number}")
        worker_rate, texts = ours.result.rate, ours.result.texts
        report_value("worker", worker_rate.images, baseline=peer_rate)
        report_value("worker_memory", ours.megabytes, "MB", theirs.megabytes)
        report_value(f"worker_over_{peer}", worker_rate.images / peer_rate, "ratio")
        same = sum(map(str.__eq__, map(str.strip, texts), map(str.strip, peer_run.texts)))
        report_value("same_texts", same / len(images), "share")


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


def run_worker(model: BenchModel, images: list[str], folder: Path) -> WorkerRun:
    """Run a project of these images in a new folder."""
    folder.mkdir()
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
            "temperature": str(model.settings.temperature),
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
    began, loaded, first, last = (
        supervisor.began,
        supervisor.loaded,
        supervisor.first,
        supervisor.last,
    )
    sizes = supervisor.project_state.batch_sizes.values()
    count = len(images)
    return WorkerRun(
        rate=CaptioningRate(
            count / (last.seconds - loaded.seconds), (last.cpu - loaded.cpu) / count
        ),
        batch=max(sizes, default=model.settings.batch),
        start_up=loaded.seconds - began,
        first_caption=first.seconds - loaded.seconds,
        page_faults=(last.page_faults - loaded.page_faults) / count,
        texts=read_captions(project, count),
    )


def run_upstream(model: BenchModel, images: list[str], folder: Path) -> CaptioningRate:
    """Run upstream's loop."""
    # Imported only in the process that runs it: it needs torch.
    from tests.bench.upstream_engine import run_upstream_loop

    rate: CaptioningRate = run_upstream_loop(model, images, folder)
    return rate


def stages_alone(model: BenchModel, images: list[str], batch: int) -> dict[str, CaptioningRate]:
    """Measure each stage while nothing else runs."""
    # As in a worker: threads that wait must cost no CPU seconds. It counts before torch is loaded.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
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


def read_captions(project: Project, images: int) -> list[str]:
    """Return the captions in the order of the images. Ends the bench if an image has none."""
    rows: dict[int, str] = {}
    for log in project.captions.glob("*/?????.jsonl"):
        for row in map(json.loads, log.read_text().splitlines()):
            if "raw" in row:
                rows[row["i"]] = row["raw"]
    if len(rows) != images:
        raise SystemExit(f"{len(rows)} captions for {images} images")
    return [rows[index] for index in range(images)]


class Moment(NamedTuple):
    """A moment of a run."""

    seconds: float
    cpu: float
    """CPU seconds of supervisor and worker until then."""
    page_faults: int
    """Page faults of the worker until then that read no disk; 0 where the system does not tell."""


class WorkerTimingSupervisor(Supervisor):
    """A supervisor that notes when the model was loaded and when the first and last rows came."""

    began = 0.0
    """When the supervisor was made."""
    loaded = first = last = Moment(0.0, 0.0, 0)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.began = time.perf_counter()

    def receive(self, handle: Any, message: Any) -> None:
        if isinstance(message, Loaded | Rows):
            times = psutil.Process(handle.pid).cpu_times()
            cpu = times.user + times.system + time.process_time()
            self.last = Moment(time.perf_counter(), cpu, page_faults(handle.pid))
            if isinstance(message, Loaded):
                self.loaded = self.first = self.last
            elif self.first == self.loaded:
                self.first = self.last
        super().receive(handle, message)


def page_faults(pid: int) -> int:
    """Return the minor page faults of a process so far (`man 5 proc_pid_stat`)."""
    stat = Path(f"/proc/{pid}/stat")
    return int(stat.read_text().rpartition(")")[2].split()[7]) if stat.is_file() else 0
