"""The try-out: one model captions a few images in a process of its own, outside of any project.

The parent (`Tryout`) sends a `TryoutJob` as a JSON line over stdin, and then as many `Question`s
about the same images as it likes; the child (`main`) answers with `TryoutEvent`s as JSON lines on
stdout, and ends with its input. It keeps the model from one question to the next.
"""

from __future__ import annotations

import json
import os
import signal
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
from engine.captioners.base import Answer, Captioner, CheckpointError, LoadedModel, Scores
from engine.captioners.record_prompt import PromptRecord
from engine.captioners.registry import FAMILIES, Settings
from engine.hardware.devices import device_kind
from engine.hardware.memory import peak_memory
from engine.images.image import ImagePaths, ImageProblem, open_image
from engine.launchers.local import TIE_TO_PARENT, worker_environment
from engine.process.python_command import python_command
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
class Question:
    """Other settings with which a loaded model is asked about the images of its job.

    The names of the fields are keys of the JSON that the child gets.
    """

    settings: dict[str, Any] = field(hash=False)
    texts: Sequence[Mapping[str, str]] = ()
    """As `TryoutJob.texts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryoutEvent:
    """One of: a step of loading, the end of loading, what is asked, a caption, a failed record, the
    speed at the end, why the model cannot be asked so, a fatal error.

    The names of the fields are keys of the JSON that the child prints.
    """

    loading: str | None = None
    """The step of loading that begins."""
    loaded: float | None = None
    """How long the model took to load, in seconds; it is loaded now."""
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
    """Images/s, as `rate_of` has it, once all images are answered."""
    memory: int | None = None
    """The most memory that the process had, in bytes, with `rate`: of the GPU, or of the host. None
    for a model on a server."""
    refused: str | None = None
    """The reason why the loaded model cannot be asked with the settings of a question."""


class TryoutFailed(Exception):
    """The model could not be tried; the message says why."""


class Tryout:
    """A process that captions the images of a job. It ends with the thread that made it.

    Iterating yields its events, once; `ask` keeps the model loaded, to be asked again.
    """

    def __init__(self, job: TryoutJob) -> None:
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the child has ended)
        self.cancelled = False
        """True once `cancel` was called."""
        self.child = subprocess.Popen(  # noqa: S603 (our own interpreter and code)
            python_command(
                "engine.operations.tryout", first=TIE_TO_PARENT.format(parent=os.getpid())
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env=worker_environment(job.device, usable_cores()),
            start_new_session=True,
        )
        if self.child.stdin is None or self.child.stdout is None:
            raise ValueError("a try-out is started with pipes")
        self.requests, self.answers = self.child.stdin, self.child.stdout
        self.job = job

    def cancel(self) -> None:
        """Kill the process and what it started, from any thread; the iteration then ends."""
        self.cancelled = True
        self.kill()

    def kill(self) -> None:
        if self.child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill the process, wait for its end, and close its pipes."""
        self.kill()
        self.child.wait()
        with suppress(BrokenPipeError):
            self.requests.close()
        self.answers.close()
        self.stderr.close()

    def __iter__(self) -> Iterator[TryoutEvent]:
        """Send the job, and yield the events until the process ends. Raises `TryoutFailed`."""
        try:
            self.send(self.job)
            with suppress(BrokenPipeError):
                self.requests.close()
            yield from self.events()
        finally:
            self.end()

    def ask(self, request: TryoutJob | Question) -> Iterator[TryoutEvent]:
        """Send the job, or later a question, and yield the events until all images are answered.

        The last one has `rate` or `refused`; there is none if the process was cancelled. Raises
        `TryoutFailed`: then the process has ended.
        """
        self.send(request)
        for event in self.events():
            yield event
            if event.rate is not None or event.refused is not None:
                return

    def send(self, request: TryoutJob | Question) -> None:
        with suppress(BrokenPipeError):  # the child has ended: `events` says why
            self.requests.write(json.dumps(asdict(request)).encode() + b"\n")
            self.requests.flush()

    def events(self) -> Iterator[TryoutEvent]:
        """Yield events until the process ends. Raises `TryoutFailed`."""
        for line in self.answers:
            event = TryoutEvent(**json.loads(line))
            if event.error is not None and event.record is None:
                raise TryoutFailed(event.error)
            yield event
        if self.child.wait() != 0 and not self.cancelled:
            raise TryoutFailed(self.last_error_line())

    def last_error_line(self) -> str:
        """Return the end of the process's stderr, or its exit code if it wrote nothing."""
        self.stderr.seek(0)
        lines = self.stderr.read().decode(errors="replace").strip().splitlines()
        if not lines:
            return f"it ended with code {self.child.returncode}"
        return lines[-1][-MAX_ERROR_CHARS:]


Emit = Callable[[TryoutEvent], None]
"""Takes every event, in the child."""


def load_model(job: dict[str, Any], emit: Emit) -> LoadedModel:
    """Load the model of a job in the child."""
    started = time.monotonic()
    model = FAMILIES[job["family"]].load(
        job["checkpoint"],
        Settings.of(job["settings"]),
        job["device"]["id"].partition(":")[0],
        lambda step: emit(TryoutEvent(loading=step)),
        key_source(job["name"], job["checkpoint"] or ""),
    )
    emit(TryoutEvent(loaded=time.monotonic() - started))
    return model


def caption_records(
    model: LoadedModel, job: dict[str, Any], texts: Sequence[Mapping[str, str]], emit: Emit
) -> None:
    """Caption the records of a job, of which each has `texts` for its prompt, if it has any."""
    paths = ImagePaths(**job["paths"])
    if model.asked is not None:
        emit(TryoutEvent(asked=model.asked.shown))
    batches: list[tuple[int, float]] = []
    records = [
        (image, PromptRecord(record_id=i, texts=its_texts))
        for (i, image), its_texts in zip(
            job["records"], texts or [{}] * len(job["records"]), strict=True
        )
    ]
    for start in range(0, len(records), model.batch):
        started = time.monotonic()
        ready = []
        for image, record in records[start : start + model.batch]:
            i = record.record_id
            try:
                picture = open_image(paths.resolve(image))
                ready.append((i, model.prepare_record(picture, record)))
            except ImageProblem as problem:
                emit(TryoutEvent(record=i, error=f"{problem.kind}: {problem.detail}"))
        if not ready:
            continue
        answers = model.answer_each([inputs for _, inputs in ready], [i for i, _ in ready])
        batches.append((len(ready), time.monotonic() - started))
        for (i, _), answer in zip(ready, answers, strict=True):
            emit(answer_event(i, answer))
    memory = None
    if not FAMILIES[job["family"]].asks_server:
        memory = peak_memory(device_kind(job["device"]["id"]))
    emit(TryoutEvent(rate=rate_of(batches), memory=memory))


def rate_of(batches: Sequence[tuple[int, float]]) -> float:
    """Return images/s over batches, each given as its images and seconds.

    The first one does not count if the others have as many images: memory is taken and steps are
    recorded in it, which a run of days does once.
    """
    first, others = batches[:1], batches[1:]
    counted = others if images_of(others) >= images_of(first) else batches
    seconds = sum(spent for _, spent in counted)
    return images_of(counted) / seconds if seconds else 0.0


def images_of(batches: Sequence[tuple[int, float]]) -> int:
    return sum(images for images, _ in batches)


def answer_question(
    model: LoadedModel, job: dict[str, Any], question: dict[str, Any], emit: Emit
) -> None:
    """Ask the loaded model about the records of its job with other settings."""
    try:
        if not isinstance(model, Captioner):
            raise CheckpointError("a scorer takes no other settings")
        asked = model.with_settings(Settings.of(question["settings"]))
    except CheckpointError as error:
        emit(TryoutEvent(refused=str(error)[:MAX_MESSAGE_CHARS]))
        return
    caption_records(asked, job, question["texts"], emit)


def answer_event(i: int, answer: Answer) -> TryoutEvent:
    if isinstance(answer, ImageProblem):
        return TryoutEvent(record=i, error=f"{answer.kind}: {answer.detail}")
    if isinstance(answer, Scores):
        return TryoutEvent(record=i, raw=answer.shown, finish="stop")
    return TryoutEvent(record=i, raw=answer.raw, tokens=answer.tokens, finish=answer.finish)


def main() -> None:
    """Run the child: read a job and then questions from stdin, print their events."""
    events, requests = sys.stdout, sys.stdin
    sys.stdout = sys.stderr  # so that what a library prints is no event

    def emit(event: TryoutEvent) -> None:
        print(json.dumps(asdict(event)), file=events, flush=True)

    try:
        job = json.loads(requests.readline())
        job["paths"]["path_map"] = tuple(map(tuple, job["paths"]["path_map"]))
        model = load_model(job, emit)
        caption_records(model, job, job["texts"], emit)
        for line in requests:
            answer_question(model, job, json.loads(line), emit)
    except CheckpointError as error:
        emit(TryoutEvent(error=str(error)[:MAX_MESSAGE_CHARS]))
        sys.exit(4)
    except Exception as error:
        emit(TryoutEvent(error=f"{type(error).__name__}: {error}"[:MAX_MESSAGE_CHARS]))
        sys.exit(4)


if __name__ == "__main__":
    main()
