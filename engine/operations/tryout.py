"""Captions a few images in a process of its own: for a look before a run, outside of any project.

The parent sends one job as JSON over stdin; the child answers in JSON lines on stdout.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from db.rows import DeviceRow
from engine.captioners.registry import FAMILIES, Settings
from engine.hardware.devices import available_cores
from engine.images.image import ImagePaths, ImageProblem, open_image
from engine.launchers.local import command, environment

LAST_WORDS = 400


@dataclass(frozen=True, slots=True)
class Job:
    """`records` are images as the input calls them, by their place in it."""

    family: str
    checkpoint: str | None
    settings: dict[str, Any] = field(hash=False)
    records: Sequence[tuple[int, str]]
    paths: ImagePaths
    device: DeviceRow


@dataclass(frozen=True, slots=True)
class TryoutEvent:
    """One of: a step of loading, a caption, a failed record, the end with images a second."""

    loading: str | None = None
    record: int | None = None
    raw: str | None = None
    tokens: int = 0
    finish: str = ""
    error: str | None = None
    rate: float | None = None


class TryoutFailed(Exception):
    """The model could not be tried; the message says why."""


class Tryout:
    """A process that captions the job's images; iterating gives what it says."""

    def __init__(self, job: Job) -> None:
        self.words = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the child has ended)
        self.cancelled = False
        self.child = subprocess.Popen(  # noqa: S603 (our own interpreter and code)
            command("engine.operations.tryout"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.words,
            env=environment(job.device, available_cores()),
            start_new_session=True,
        )
        self.job = job

    def cancel(self) -> None:
        """From any thread; the iteration then ends."""
        self.cancelled = True
        self.child.kill()

    def __iter__(self) -> Iterator[TryoutEvent]:
        """Raises `TryoutFailed`."""
        child = self.child
        if child.stdin is None or child.stdout is None:
            raise ValueError("a try-out is started with pipes")
        with self.words, child.stdout:
            try:
                with suppress(BrokenPipeError), child.stdin:
                    child.stdin.write(json.dumps(asdict(self.job)).encode())
                for line in child.stdout:
                    said = TryoutEvent(**json.loads(line))
                    if said.error is not None and said.record is None:
                        raise TryoutFailed(said.error)
                    yield said
                if child.wait() != 0 and not self.cancelled:
                    raise TryoutFailed(self.last_words())
            finally:
                child.kill()
                child.wait()

    def last_words(self) -> str:
        self.words.seek(0)
        said = self.words.read().decode(errors="replace").strip().splitlines()
        return said[-1][-LAST_WORDS:] if said else f"it ended with code {self.child.returncode}"


def answers(job: dict[str, Any], say: Callable[[TryoutEvent], None]) -> None:
    """The child's side."""
    paths = ImagePaths(**job["paths"])
    captioner = FAMILIES[job["family"]].load(
        job["checkpoint"],
        Settings.of(job["settings"]),
        job["device"]["id"].partition(":")[0],
        lambda step: say(TryoutEvent(loading=step)),
    )
    spent, done = 0.0, 0
    records = [(i, image) for i, image in job["records"]]
    for place in range(0, len(records), captioner.batch):
        began = time.monotonic()
        ready = []
        for i, image in records[place : place + captioner.batch]:
            try:
                ready.append((i, captioner.prepare(open_image(paths.resolve(image)))))
            except ImageProblem as problem:
                say(TryoutEvent(record=i, error=f"{problem.kind}: {problem.detail}"))
        if not ready:
            continue
        captions = captioner.answers([inputs for _, inputs in ready], [i for i, _ in ready])
        spent, done = spent + time.monotonic() - began, done + len(ready)
        for (i, _), caption in zip(ready, captions, strict=True):
            if isinstance(caption, ImageProblem):
                say(TryoutEvent(record=i, error=f"{caption.kind}: {caption.detail}"))
                continue
            say(
                TryoutEvent(record=i, raw=caption.raw, tokens=caption.tokens, finish=caption.finish)
            )
    say(TryoutEvent(rate=done / spent if spent else 0.0))


def main() -> None:
    out = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no answer

    def say(said: TryoutEvent) -> None:
        print(json.dumps(asdict(said)), file=out, flush=True)

    try:
        job = json.load(sys.stdin)
        job["paths"]["path_map"] = tuple(map(tuple, job["paths"]["path_map"]))
        answers(job, say)
    except Exception as error:
        say(TryoutEvent(error=f"{type(error).__name__}: {error}"[:2000]))
        sys.exit(4)


if __name__ == "__main__":
    main()
