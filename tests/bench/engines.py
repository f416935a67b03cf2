"""The same pictures by each way to run one checkpoint: our own loop, `hf`, and serving engines.

    python -m tests.bench engines [--count N] [--rounds N] [--python ENGINE=PATH] [CASE...]

All caption drawn JPEGs greedily with the demo LLaVA, in float32 on the CPU, in a project of their
own: what is measured is `run`, from the loaded model to the last caption, and apart from that the
start. An engine without a Python of its own runs in this environment. CPU seconds are those of
supervisor, worker and server.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from engine.captioners.registry import ModelChoice, choose
from engine.demo import checkpoint
from engine.demo.scenes import write_scenes
from engine.hardware.devices import find_devices
from engine.launchers.local import LocalLauncher
from engine.operations.new_project import NewProject, create
from engine.project.lock import ProjectLock
from engine.protocol.messages import Loaded, Rows
from engine.supervisor.supervisor import Supervisor
from tests.bench.beside import tree_cpu_seconds
from tests.bench.engine import DRAWN_SIZE
from tests.bench.engine_worker import read_captions
from tests.bench.measuring import measure
from tests.bench.report import report

COUNT = 1000
"""Number of drawn pictures."""
QUESTION = "in English:"
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages if message.role == 'user' %}"
    "{% for part in message.content %}"
    "{% if part.type == 'image' %}Describe <image> {% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endfor %}"
)
"""Upstream's prompt, on which the demo checkpoint was trained, for those that ask by a chat
template; the checkpoint has none. vLLM adds no token of its own to a template's text."""
ENGINE_ARGUMENTS = {"vllm": "--dtype float32 --gpu-memory-utilization 0.2"}
"""What an engine needs here: vLLM keeps a share of the machine's memory for itself."""
CASES = ("llava-1.5", "hf", "transformers", "vllm")
"""What captions, our own loop first, with whose texts the others are compared."""


class EngineRun(NamedTuple):
    """What a run took."""

    start_up: float
    """Seconds until the model was loaded."""
    seconds: float
    """Seconds from then until the last caption."""
    start_up_cpu: float
    """CPU seconds of the first."""
    cpu: float
    """CPU seconds of the second."""
    texts: list[str]


class TimingSupervisor(Supervisor):
    """A supervisor that notes when the model was loaded and when the last rows came."""

    loaded_at = last_at = loaded_cpu = end_cpu = 0.0

    def receive(self, handle: Any, message: Any) -> None:
        if isinstance(message, Loaded):
            self.loaded_at, self.loaded_cpu = time.perf_counter(), self.cpu_seconds()
        elif isinstance(message, Rows):
            self.last_at = time.perf_counter()
        super().receive(handle, message)

    def shut_down(self) -> None:
        self.end_cpu = self.cpu_seconds()
        super().shut_down()

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of this process, of the worker and of all that it started."""
        return sum(tree_cpu_seconds(worker.handle.pid) for worker in self.workers.values()) + (
            time.process_time()
        )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench engines")
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="CASE")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--python", action="append", default=[], metavar="ENGINE=PATH")
    options = parser.parse_args(arguments)
    pythons = dict(each.split("=", 1) for each in options.python)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_scenes(folder / "drawn", options.count, 7, DRAWN_SIZE)
        served = shutil.copytree(checkpoint("llava-1.5"), folder / "llava")
        (served / "chat_template.jinja").write_text(CHAT_TEMPLATE)
        texts: list[str] = []
        for number in range(options.rounds):
            for case in options.cases:
                model = choice(case, served, pythons.get(case))
                run = measure(run_case, model, folder / "drawn", folder / f"{case}-{number}")
                texts = texts or run.result.texts
                tell(case, options.count, run.megabytes, run.result, texts)


def choice(case: str, folder: Path, python: str | None) -> ModelChoice:
    """Return the model of a case."""
    greedy = {"temperature": "0"}
    if case == "llava-1.5":
        return choose(f"llava-1.5={folder}", "paper", greedy)
    if case == "hf":
        changes = {"prompt": QUESTION, "dtype": "float32", "batch": "auto"}
        return choose(f"hf={folder}", None, greedy | changes)
    changes = {"backend": case, "prompt": QUESTION}
    changes |= {"interpreter": python} if python else {}
    if case in ENGINE_ARGUMENTS:
        changes["arguments"] = ENGINE_ARGUMENTS[case]
    return choose(f"{case}=server:{folder}", None, greedy | changes)


def run_case(model: ModelChoice, drawn: Path, folder: Path) -> EngineRun:
    """Run a project of the drawn pictures in a new folder."""
    new_project = NewProject(captions=[drawn / "captions.json"], models=[model], shard_size=10_000)
    project = create(folder, new_project).project
    with ProjectLock(project.lock) as lock:
        launcher = LocalLauncher(project, find_devices("cpu"))
        supervisor = TimingSupervisor(project, launcher, spec="cpu", lock=lock)
        began, began_cpu = time.perf_counter(), time.process_time()
        if not supervisor.run():
            raise SystemExit("the run did not finish")
    count = len(json.loads((drawn / "captions.json").read_text()))
    return EngineRun(
        start_up=supervisor.loaded_at - began,
        seconds=supervisor.last_at - supervisor.loaded_at,
        start_up_cpu=supervisor.loaded_cpu - began_cpu,
        cpu=supervisor.end_cpu - supervisor.loaded_cpu,
        texts=read_captions(project, count),
    )


def tell(case: str, count: int, megabytes: float, run: EngineRun, texts: list[str]) -> None:
    same = sum(map(str.__eq__, map(str.strip, run.texts), map(str.strip, texts)))
    for name, value, unit in (
        ("captions", count / run.seconds, "images/s"),
        ("captions_cpu", run.cpu / count * 1e3, "ms/image"),
        ("start_up", run.start_up, "s"),
        ("start_up_cpu", run.start_up_cpu, "s"),
        ("memory", megabytes, "MB"),
        ("same_texts", same / count, "share"),
    ):
        report("engines", name, value, unit, engine=case, count=count)
