"""The try-out: one model captions a few images in a process of its own, outside of any project.

The parent (`Tryout`) sends one `TryoutJob` as JSON over stdin; the child (`main`) answers with
`TryoutEvent`s as JSON lines on stdout.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from db.rows import DeviceRow
from engine.captioners.api_keys import key_source
from engine.captioners.base import Answer, CheckpointError, Scores
from engine.captioners.record_prompt import PromptRecord
from engine.captioners.registry import FAMILIES, Settings
from engine.images.image import ImagePaths, ImageProblem, open_image
from engine.launchers.local import python_command, worker_environment
from engine.utils.cpu_count import usable_cores

MAX_MESSAGE_CHARS = 2000
"""Characters of the error that the child sends."""
MAX_ERROR_CHARS = 400
"""Characters of the last line of the child's stderr that stand in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryoutJob:
    """The job of a child. The names of the fields are keys of the JSON that it gets."""

    family: str
    checkpoint: str | None
    settings: dict[str, Any] = field(hash=False)
    records: Sequence[tuple[int, str]]
    """The record id of each image, and the image as the input names it."""
    texts: Sequence[Mapping[str, str]] = ()
    """What the prompt asks for of each record, by key; empty if it asks for nothing."""
    paths: ImagePaths
    device: DeviceRow
    name: str = ""
    """The model's name, by which the API key of its server is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryoutEvent:
    """One of: a step of loading, what is asked, a caption, a failed record, the speed at the end, a
    fatal error.

    The names of the fields are keys of the JSON that the child prints.
    """

    loading: str | None = None
    """The step of loading that begins."""
    asked: str | None = None
    """What the model is asked, once it is loaded, where its own processor makes it."""
    record: int | None = None
    """The record id of a caption or a failed record."""
    raw: str | None = None
    """The raw caption."""
    tokens: int = 0
    finish: str = ""
    error: str | None = None
    """The reason why the record failed or, without `record`, why nothing more comes."""
    rate: float | None = None
    """Images/s over all batches, at the end."""


class TryoutFailed(Exception):
    """The model could not be tried; the message says why."""


class Tryout:
    """A process that captions the images of a job. Iterating yields its events, once."""

    def __init__(self, job: TryoutJob) -> None:
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the child has ended)
        self.cancelled = False
        """True once `cancel` was called."""
        self.child = subprocess.Popen(  # noqa: S603 (our own interpreter and code)
            python_command("engine.operations.tryout"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env=worker_environment(job.device, usable_cores()),
            start_new_session=True,
        )
        self.job = job

    def cancel(self) -> None:
        """Kill the process, from any thread; the iteration then ends."""
        self.cancelled = True
        self.child.kill()

    def __iter__(self) -> Iterator[TryoutEvent]:
        """Send the job, and yield the events until the process ends. Raises `TryoutFailed`."""
        child = self.child
        if child.stdin is None or child.stdout is None:
            raise ValueError("a try-out is started with pipes")
        with self.stderr, child.stdout:
            try:
                with suppress(BrokenPipeError), child.stdin:
                    child.stdin.write(json.dumps(asdict(self.job)).encode())
                for line in child.stdout:
                    event = TryoutEvent(**json.loads(line))
                    if event.error is not None and event.record is None:
                        raise TryoutFailed(event.error)
                    yield event
                if child.wait() != 0 and not self.cancelled:
                    raise TryoutFailed(self.last_error_line())
            finally:
                child.kill()
                child.wait()

    def last_error_line(self) -> str:
        """Return the end of the process's stderr, or its exit code if it wrote nothing."""
        self.stderr.seek(0)
        lines = self.stderr.read().decode(errors="replace").strip().splitlines()
        if not lines:
            return f"it ended with code {self.child.returncode}"
        return lines[-1][-MAX_ERROR_CHARS:]


def caption_records(job: dict[str, Any], emit: Callable[[TryoutEvent], None]) -> None:
    """Caption the records of a job in the child; `emit` gets every event."""
    paths = ImagePaths(**job["paths"])
    captioner = FAMILIES[job["family"]].load(
        job["checkpoint"],
        Settings.of(job["settings"]),
        job["device"]["id"].partition(":")[0],
        lambda step: emit(TryoutEvent(loading=step)),
        key_source(job["name"], job["checkpoint"] or ""),
    )
    if captioner.asked is not None:
        emit(TryoutEvent(asked=captioner.asked.shown))
    spent, done = 0.0, 0
    texts = job["texts"] or [{}] * len(job["records"])
    records = [
        (image, PromptRecord(record_id=i, texts=its_texts))
        for (i, image), its_texts in zip(job["records"], texts, strict=True)
    ]
    for start in range(0, len(records), captioner.batch):
        started = time.monotonic()
        ready = []
        for image, record in records[start : start + captioner.batch]:
            i = record.record_id
            try:
                picture = open_image(paths.resolve(image))
                ready.append((i, captioner.prepare_record(picture, record)))
            except ImageProblem as problem:
                emit(TryoutEvent(record=i, error=f"{problem.kind}: {problem.detail}"))
        if not ready:
            continue
        answers = captioner.answer_each([inputs for _, inputs in ready], [i for i, _ in ready])
        spent, done = spent + time.monotonic() - started, done + len(ready)
        for (i, _), answer in zip(ready, answers, strict=True):
            emit(answer_event(i, answer))
    emit(TryoutEvent(rate=done / spent if spent else 0.0))


def answer_event(i: int, answer: Answer) -> TryoutEvent:
    if isinstance(answer, ImageProblem):
        return TryoutEvent(record=i, error=f"{answer.kind}: {answer.detail}")
    if isinstance(answer, Scores):
        return TryoutEvent(record=i, raw=answer.shown, finish="stop")
    return TryoutEvent(record=i, raw=answer.raw, tokens=answer.tokens, finish=answer.finish)


def main() -> None:
    """Run the child: read a job from stdin, print its events."""
    events = sys.stdout
    sys.stdout = sys.stderr  # so that what a library prints is no event

    def emit(event: TryoutEvent) -> None:
        print(json.dumps(asdict(event)), file=events, flush=True)

    try:
        job = json.load(sys.stdin)
        job["paths"]["path_map"] = tuple(map(tuple, job["paths"]["path_map"]))
        caption_records(job, emit)
    except CheckpointError as error:
        emit(TryoutEvent(error=str(error)[:MAX_MESSAGE_CHARS]))
        sys.exit(4)
    except Exception as error:
        emit(TryoutEvent(error=f"{type(error).__name__}: {error}"[:MAX_MESSAGE_CHARS]))
        sys.exit(4)


if __name__ == "__main__":
    main()
