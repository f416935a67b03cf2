"""What turns the records of one attempt into rows of the caption log, with one loaded model.

`CaptionLoop` is what a worker needs of it, and holds what its two kinds have in common: records
come in, their images are decoded ahead, and rows go out. `local_loop` runs batches through a model
in this process, `remote_loop` asks a server.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from engine.captioners.base import (
    Answer,
    Caption,
    Captioner,
    CheckpointError,
    LoadedModel,
    Scores,
)
from engine.captioners.registry import Settings
from engine.images.image import ImageProblem
from engine.images.missing_root import ImageRootLost, MissingImages
from engine.images.probe_image import probe_image_file
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row, ScoreRow
from engine.protocol.messages import (
    Decoding,
    FromWorker,
    Generating,
    Records,
    RootLost,
    Rows,
    Stuck,
    Unavailable,
)
from engine.worker.image_prefetch import DecodingStuck, ImagePrefetcher
from engine.worker.inflight import InflightRecords
from engine.worker.runtime import FatalWorkerError

C = TypeVar("C", bound=LoadedModel)
Send = Callable[[FromWorker], None]
"""Sends a message to the supervisor; several threads may call it."""
PreparedRecord = tuple[int, Any]
"""The index of a record and its prepared input."""


class ModelUnavailable(Exception):
    """Raised when the loaded model captions nothing for now: the worker is to unload it."""

    def __init__(self, message: Unavailable) -> None:
        super().__init__(message.text)
        self.message = message
        """What to send to the supervisor once the model is unloaded."""


class CaptionLoop(ABC, Generic[C]):
    """One loaded model and the records of one attempt. Only the worker's main thread calls it."""

    def __init__(
        self,
        *,
        model_id: int,
        captioner: C,
        batch_size: int,
        prefetcher: ImagePrefetcher,
        missing_images: MissingImages,
        send: Send,
    ) -> None:
        """Take over the model, which `close` frees.

        Prefetcher and missing images are the worker's and outlive the loop.
        """
        self.model_id = model_id
        self.captioner = captioner
        self.batch_size = batch_size
        """Images of a batch; for a server, records that are with it at the same time."""
        self.prefetcher = prefetcher
        self.missing_images = missing_images
        self.send = send
        self.image_wait = 0.0
        """Seconds since rows were last sent in which nothing was captioned for want of images."""
        self.inflight: InflightRecords | None = None
        """The records of the current attempt; None if there is none."""
        prefetcher.set_captioner(captioner)

    @abstractmethod
    def can_advance(self, inflight: InflightRecords) -> bool:
        """Return True if `advance` would get anywhere."""

    @abstractmethod
    def advance(self, inflight: InflightRecords) -> None:
        """Hand records to the model, and send the rows of captions that have come.

        Raises `ImageRootLost`, `DecodingStuck`, `ModelUnavailable`.
        """

    def close(self) -> None:
        """Forget the records and free the model."""
        self.cancel()
        self.prefetcher.set_captioner(None)

    @property
    def attempt(self) -> int | None:
        """The number of the current attempt; any thread may read it."""
        inflight = self.inflight
        return None if inflight is None else inflight.attempt

    def add_records(self, message: Records) -> None:
        """Take the records of a message, which may begin a new attempt."""
        inflight = self.inflight
        key = (message.task, message.attempt, message.settings)
        if inflight is None or (inflight.task, inflight.attempt, inflight.settings) != key:
            inflight = self.begin_attempt(message)
            try:
                self.use_settings(inflight, message.settings)
            except CheckpointError as error:
                self.send_rows(
                    inflight, [ErrorRow(i, "refused", str(error)) for i, _ in message.records]
                )
                self.release_attempt()
                return
        inflight.waiting.extend(message.records)
        inflight.texts.update(message.texts)
        inflight.complete = message.last or message.alone
        inflight.isolated = message.alone
        inflight.probing = message.probe
        if message.probe:
            for i, _ in message.records:
                self.prefetcher.add_file(i, probe_image_file())

    def begin_attempt(self, message: Records) -> InflightRecords:
        """Forget the attempt before, and return the new one, still without records.

        Received image files are kept: those of the new attempt came ahead of the message.
        """
        self.release_attempt()
        self.inflight = InflightRecords(
            task=message.task, attempt=message.attempt, first_record_id=message.first
        )
        return self.inflight

    def use_settings(self, inflight: InflightRecords, settings: dict[str, Any] | None) -> None:
        """Ask the records with these settings, or as the model was loaded with None.

        Raises `CheckpointError` if the model cannot be asked so.
        """
        inflight.settings = settings
        if settings is not None and isinstance(self.captioner, Captioner):
            inflight.model = self.captioner.with_settings(Settings.of(settings))
        model = inflight.model or self.captioner
        if self.prefetcher.captioner is not model:
            self.prefetcher.set_captioner(model)

    def cancel(self) -> None:
        """Forget the records; batches that run go on, and their rows are still sent."""
        self.release_attempt()
        self.prefetcher.forget_files()

    def release_attempt(self) -> None:
        if self.inflight is not None:
            self.inflight.release()
        self.inflight = None
        self.missing_images.discard()

    def can_step(self) -> bool:
        """Return True if `step` would get anywhere."""
        inflight = self.inflight
        if inflight is None:
            return False
        return self.can_advance(inflight) or (
            inflight.exhausted and bool(self.missing_images.withheld)
        )

    def step(self) -> None:
        """Do what can be done without waiting for captions, and send the rows of those that came.

        Raises `ModelUnavailable`, `FatalWorkerError`.
        """
        inflight = self.inflight
        if inflight is None:
            return
        try:
            self.advance(inflight)
            if inflight.exhausted:
                self.send_rows(inflight, self.missing_images.settle())
        except ImageRootLost as error:
            self.send(RootLost(task=inflight.task, attempt=inflight.attempt, text=str(error)))
            self.cancel()
        except DecodingStuck as error:
            self.send(Stuck(text=str(error)))
            raise FatalWorkerError from error

    def decode_ahead(self, inflight: InflightRecords) -> None:
        """Keep the images of one batch beyond the next one in the decoding threads."""
        held = len(inflight.decoding) + len(inflight.ready)
        room = 2 * self.batch_size + self.prefetcher.threads - held
        records = [inflight.waiting.popleft() for _ in range(min(room, len(inflight.waiting)))]
        if not records:
            return
        indexes = tuple(i for i, _ in records)
        self.send(Decoding(task=inflight.task, attempt=inflight.attempt, records=indexes))
        for i, image in records:
            future = self.prefetcher.start(i, image, inflight.prompt_record(i))
            inflight.decoding.append((i, image, future))

    def collect_decoded(
        self, inflight: InflightRecords, batch: Iterable[tuple[int, str, Future[Any]]]
    ) -> tuple[list[Row], list[PreparedRecord]]:
        """Wait for the images of a batch.

        Return the rows of those that failed and the (index, prepared input) of the others. Raises
        `ImageRootLost`, `DecodingStuck`.
        """
        rows: list[Row] = []
        ready: list[PreparedRecord] = []
        for i, image, future in batch:
            try:
                ready.append((i, self.prefetcher.result(image, future)))
            except ImageProblem as problem:
                rows += self.missing_images.on_problem(i, image, problem)
            else:
                if not inflight.probing:  # the probe image shows nothing of the image root
                    rows += self.missing_images.on_image_read(image)
        return rows, ready

    def send_generating(self, inflight: InflightRecords, ready: list[PreparedRecord]) -> None:
        if ready:
            indexes = tuple(i for i, _ in ready)
            self.send(Generating(task=inflight.task, attempt=inflight.attempt, records=indexes))

    def send_rows(self, inflight: InflightRecords, rows: Iterable[Row]) -> None:
        if rows := tuple(rows):
            waited, self.image_wait = round(self.image_wait, 3), 0.0
            task, attempt = inflight.task, inflight.attempt
            self.send(Rows(task=task, attempt=attempt, rows=rows, waited=waited))


def answer_row(i: int, answer: Answer) -> Row:
    if isinstance(answer, ImageProblem):
        return answer.row(i)
    if isinstance(answer, Scores):
        return ScoreRow(i=i, scores=dict(answer.by_digest))
    return caption_row(i, answer)


def caption_row(i: int, caption: Caption) -> CaptionRow:
    return CaptionRow(i=i, raw=caption.raw, tokens=caption.tokens, finish=caption.finish)
