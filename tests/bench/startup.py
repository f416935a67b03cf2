"""The time from the start of a worker to its first captions, on a demo checkpoint.

The baseline is a bare process that imports torch and transformers' Llama, which every worker of
these models must import.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from engine.captioners.registry import choose
from engine.demo import checkpoint
from engine.demo.scenes import write_scenes
from engine.hardware.devices import find_devices
from engine.launchers.local import LocalLauncher
from engine.operations.new_project import NewProject, create
from engine.project.lock import ProjectLock
from engine.supervisor.supervisor import Supervisor
from tests.bench.report import report

IMPORTS = "import torch; from transformers import LlamaForCausalLM"
COUNT = 48
"""Number of images."""
ROUNDS = 3
"""Each time is the best of so many rounds."""


def main(cases: list[str]) -> None:
    for name in cases or ["llava-1.5"]:
        imports = min(import_seconds() for _ in range(ROUNDS))
        rounds = [startup_seconds(name) for _ in range(ROUNDS)]
        for step in ("Ready", "Loaded", "Rows"):
            seconds = min(times[step] for times in rounds)
            report("startup", f"{name}: {step.lower()}", seconds, "s", imports)


def import_seconds() -> float:
    """Return the seconds that the bare process takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - began


def startup_seconds(name: str) -> dict[str, float]:
    """Return the seconds from the supervisor's start to the first message of each type."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_scenes(folder, COUNT, 7)
        new_project = NewProject(
            captions=[folder / "captions.json"], models=[choose(f"{name}={checkpoint(name)}")]
        )
        project = create(folder / "run", new_project).project
        with ProjectLock(project.lock) as lock:
            launcher = LocalLauncher(project, find_devices("cpu"))
            supervisor = FirstMessageSupervisor(project, launcher, spec="cpu", lock=lock)
            if not supervisor.run():
                raise SystemExit("the run did not finish")
        rows = [
            json.loads(line)
            for log in project.captions.glob("*/?????.jsonl")
            for line in log.read_text().splitlines()
        ]
        if sum("raw" in row for row in rows) != COUNT:
            raise SystemExit("not every image was captioned")
    return supervisor.times


class FirstMessageSupervisor(Supervisor):
    """A supervisor that notes when the first message of each type came."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.began = time.perf_counter()
        self.times: dict[str, float] = {}
        """Seconds since the start, by name of the message's class."""

    def receive(self, handle: Any, message: Any) -> None:
        self.times.setdefault(type(message).__name__, time.perf_counter() - self.began)
        super().receive(handle, message)
