"""The product on the images of a bench: a project, a supervisor and a worker."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from engine.captioners.registry import ModelChoice, choose
from engine.hardware.devices import find_devices
from engine.launchers.local import LocalLauncher
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.protocol.messages import Loaded, Rows
from engine.state.policy import Policy
from engine.supervisor.supervisor import Supervisor
from tests.bench.bench_model import BenchModel, CaptioningRate


class WorkerRun(NamedTuple):
    """A run of the worker on a project of the images."""

    rate: CaptioningRate
    batch: int
    """The batch size at the end."""
    start_up: float
    """Seconds until the model was loaded."""
    first_caption: float
    """Seconds from then until the first caption."""
    first_caption_cpu: float
    """CPU seconds of these."""
    page_faults: float
    """Page faults of the worker an image, from then on."""
    texts: list[str]


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
        if model.family == "hf":
            # Fewer pixels than the files say would be another task.
            changes = {key: changes[key] for key in ("batch", "temperature")}
            changes |= {"max_pixels": "none", "dtype": "float32"}
        model_choice = choose(f"{model.family}={model.checkpoint}", "paper", changes)
        module = "engine.worker.worker"
    new_project = NewProject(
        captions=[captions], models=[model_choice], shard_size=10_000, allow_outside=True
    )
    project = create(folder / "run", new_project).project
    spec = "cpu" if model.device == "cpu" else "0"
    with ProjectLock(project.lock) as lock:
        launcher = LocalLauncher(project, find_devices(spec), module)
        policy = Policy(health_stop=False)  # random weights say the same of many images
        supervisor = WorkerTimingSupervisor(project, launcher, policy, spec, lock=lock)
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
        first_caption_cpu=first.cpu - loaded.cpu,
        page_faults=(last.page_faults - loaded.page_faults) / count,
        texts=read_captions(project, count),
    )


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
