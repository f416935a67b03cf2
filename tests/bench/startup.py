"""From the start of a worker to its first captions, on a demo checkpoint.

The baseline is a bare process that imports torch and transformers' Llama: what no worker of these
models can do without.
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
from engine.demo.scenes import write
from engine.hardware.devices import find
from engine.launchers.local import LocalLauncher
from engine.operations.new_project import NewProject, create
from engine.project.lock import ProjectLock
from engine.supervisor.supervisor import Supervisor
from tests.bench.report import report

IMPORTS = "import torch; from transformers import LlamaForCausalLM"
COUNT = 48
ROUNDS = 3


def main(cases: list[str]) -> None:
    for name in cases or ["llava-1.5"]:
        imports = min(imported() for _ in range(ROUNDS))
        rounds = [started(name) for _ in range(ROUNDS)]
        for step in ("ready", "loaded", "rows"):
            seconds = min(times[step] for times in rounds)
            report("startup", f"{name}: {step}", seconds, "s", imports)


def imported() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - began


def started(name: str) -> dict[str, float]:
    """Seconds from the supervisor's start to the first message of each kind."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write(folder, COUNT, 7)
        wanted = NewProject([folder / "captions.json"], [choose(f"{name}={checkpoint(name)}")])
        project = create(folder / "run", wanted).project
        with ProjectLock(project.lock) as lock:
            timed = Timed(project, LocalLauncher(project, find("cpu")), spec="cpu", lock=lock)
            if not timed.run():
                raise SystemExit("the run did not finish")
        rows = [
            json.loads(line)
            for log in project.captions.glob("*/?????.jsonl")
            for line in log.read_text().splitlines()
        ]
        if sum("raw" in row for row in rows) != COUNT:
            raise SystemExit("not every image was captioned")
    return timed.times


class Timed(Supervisor):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.began = time.perf_counter()
        self.times: dict[str, float] = {}

    def receive(self, handle: Any, message: Any) -> None:
        if isinstance(message, dict):
            self.times.setdefault(message["type"], time.perf_counter() - self.began)
        super().receive(handle, message)
