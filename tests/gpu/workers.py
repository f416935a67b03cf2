"""Two runs that share one GPU, two batches side by side, and a worker that is killed in a step."""

from __future__ import annotations

import os
import signal
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from engine.demo import checkpoint
from tests.gpu.demo_captions import scene_images
from tests.gpu.machine import Machine, parse_machine, report
from tests.gpu.runs import RunResult, caption_project

IMAGES, IMITATED_IMAGES = 960, 24
MODEL = "llava-1.5"
GREEDY = {"temperature": "0", "dtype": "float32", "batch": "4"}
"""Small batches: a kill after the first rows meets the next batch in a step."""


def main(machine: Machine) -> None:
    model = f"{MODEL}={checkpoint(MODEL)}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene_images(folder, IMITATED_IMAGES if machine.imitates else IMAGES)
        captions = folder / "captions.json"
        alone = caption_project(folder / "alone", captions, model, GREEDY, machine.spec)
        report("captioned alone", len(alone.captions), "images", not missing(alone))
        side_by_side = GREEDY | {"overlap": "yes"}
        compare(
            "two batches side by side",
            caption_project(folder / "overlap", captions, model, side_by_side, machine.spec),
            alone,
        )
        kill = KillOnce()
        killed = caption_project(
            folder / "killed", captions, model, GREEDY, machine.spec, on_rows=kill
        )
        report("worker killed", kill.pid, "pid", kill.pid != 0)
        compare("worker killed in a step", killed, alone)
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            runs = [
                pool.submit(caption_project, folder / name, captions, model, GREEDY, machine.spec)
                for name in ("one", "other")
            ]
            for number, run in enumerate(runs, 1):
                compare(f"two workers on one GPU, run {number}", run.result(), alone)


class KillOnce:
    """Kills the first worker that sends rows."""

    pid = 0
    """The killed worker, 0 before that."""

    def __call__(self, pid: int) -> None:
        if not self.pid:
            self.pid = pid
            os.kill(pid, signal.SIGKILL)


def missing(run: RunResult) -> int:
    return run.records - len(run.captions)


def compare(case: str, run: RunResult, alone: RunResult) -> None:
    """Report how many captions are lost, or differ from those of an undisturbed run."""
    report(f"{case}: records without a caption", missing(run), good=not missing(run))
    differing = sum(run.captions.get(i) != text for i, text in alone.captions.items())
    report(f"{case}: captions that differ", differing, good=differing == 0)


if __name__ == "__main__":
    main(parse_machine())
