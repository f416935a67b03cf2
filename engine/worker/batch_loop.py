"""The half of a worker that turns the records it holds into rows of the caption log.

It decides which records make up the next batch, keeps images decoding ahead of the model, starts
batches (or sends records to a server) and sends rows as captions come. Its border: `worker` talks
to the supervisor and loads models; `batch_lanes` runs the batches.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice
from typing import Any

from engine.captioners.base import Caption, Captioner, RemoteCaptioner, ServerUnavailable
from engine.hardware.memory import is_out_of_memory
from engine.images.image import ImagePaths, ImageProblem
from engine.images.missing_root import ImageRootLost, MissingImages
from engine.protocol import messages
from engine.protocol.messages import Message
from engine.worker.batch_lanes import LaneBatch, Lanes
from engine.worker.batch_tuner import BatchTuner
from engine.worker.cpu_threads import ThreadBudget
from engine.worker.image_prefetch import DecodingStuck, ImagePrefetcher
from engine.worker.inflight import InflightRecords
from engine.worker.runtime import free_memory

REPLY_SECONDS = 0.2
"""Seconds for which the replies of a server are waited for before messages are handled again."""

Row = dict[str, Any]
"""One row of the caption log."""


class FatalWorkerError(Exception):
    """Raised when the worker's process must end; it has already sent the reason."""


class BatchLoop(ABC):
    """The base class of `Worker`, with the loaded model and the records of one attempt."""

    def __init__(self) -> None:
        no_images = ImagePaths("")
        self.device = "cpu"
        """Torch's name of the device; set by the message `start`, as the next two are."""
        self.missing_images = MissingImages(no_images, witness=None)
        self.prefetcher = ImagePrefetcher(no_images, threads=1, device=self.device)
        self.captioner: Captioner | None = None
        """The loaded model."""
        self.lanes: Lanes | None = None
        """Lanes of a model that runs in this process; None for one on a server."""
        self.model: Message = {}
        """Id, name, family, checkpoint and settings of the model, as the message `load` has it."""
        self.batch_size = 1
        """Images of a batch; for a server, records that are with it at the same time."""
        self.tuner: BatchTuner | None = None
        """The search for the batch size, while it goes on."""
        self.thread_budget: ThreadBudget | None = None
        """The division of the cores; None unless the model computes on the CPU."""
        self.inflight: InflightRecords | None = None
        """The records of the current attempt; None if there is none."""
        self.awaited_image: Future[Any] | None = None
        """The image whose end of decoding calls `wake`, since the next batch waits for it."""

    @abstractmethod
    def send(self, message: Message) -> None:
        """Send a message to the supervisor. May be called from several threads."""

    @abstractmethod
    def wake(self) -> None:
        """Have the main thread look for work again. May be called from any thread."""

    @abstractmethod
    def unload(self) -> None:
        """Free the loaded model, if there is one."""

    def add_records(self, message: Message) -> None:
        """Take the records of a message, which may begin a new attempt."""
        if self.captioner is None:
            # It was sent before the supervisor heard that the server is unavailable.
            self.prefetcher.forget_files()
            return
        task, attempt = message["task"], message["attempt"]
        inflight = self.inflight
        if inflight is None or inflight.attempt != attempt or inflight.task != task:
            self.missing_images.discard()
            inflight = self.inflight = InflightRecords(task, attempt, message["first"])
            if self.tuner is not None:
                self.tuner.resume(time.monotonic())
        inflight.waiting.extend((i, image) for i, image in message["records"])
        inflight.complete = message["last"] or message["alone"]
        inflight.isolated = message["alone"]

    def cancel(self) -> None:
        """Forget the records; batches that run go on, and their rows are still sent."""
        if self.inflight is not None:
            images = (future for _, _, future in self.inflight.decoding)
            for future in (*images, *self.inflight.pending_replies):
                future.cancel()
        self.inflight = None
        self.prefetcher.forget_files()
        self.missing_images.discard()

    def can_step(self) -> bool:
        """Return True if `step` would get anywhere."""
        inflight = self.inflight
        if inflight is None:
            return False
        if self.lanes is None:
            ready = bool(inflight.pending_replies or inflight.queued)
        else:
            ready = bool(self.lanes.finished) or self.can_start_batch(inflight, self.lanes)
        return ready or (inflight.exhausted and bool(self.missing_images.withheld))

    def can_start_batch(self, inflight: InflightRecords, lanes: Lanes) -> bool:
        """Return True if a batch can start now.

        Its images are waited for only where no other batch runs.
        """
        full = inflight.queued >= self.batch_size
        if lanes.free_lanes < 1 or not (full or (inflight.queued and inflight.complete)):
            return False
        if not lanes.running:
            return True
        if inflight.isolated:  # what still runs belongs to an attempt that was cancelled
            return False
        self.decode_ahead(inflight)
        batch = islice(inflight.decoding, lanes.next_size(inflight, self.batch_size))
        undecoded = [image for _, _, image in batch if not image.done()]
        if undecoded and undecoded[-1] is not self.awaited_image:
            self.awaited_image = undecoded[-1]
            self.awaited_image.add_done_callback(lambda _: self.wake())
        return not undecoded

    def step(self, inflight: InflightRecords) -> None:
        """Do what can be done without waiting for captions, and send the rows of those that came.

        Raises `FatalWorkerError`.
        """
        try:
            if isinstance(self.captioner, RemoteCaptioner):
                self.step_remote(inflight, self.captioner)
            elif self.lanes is not None:
                self.step_local(inflight, self.lanes)
            if inflight.exhausted:
                self.send_rows(inflight, self.missing_images.settle())
        except ImageRootLost as error:
            self.send({"type": "root_lost", "attempt": inflight.attempt, "text": str(error)})
            self.cancel()
        except ServerUnavailable as error:
            self.on_unavailable(error)
        except DecodingStuck as error:
            self.send({"type": "stuck", "text": str(error)})
            raise FatalWorkerError from error

    def on_unavailable(self, error: ServerUnavailable) -> None:
        """Forget the records and the model, and report which records the server had."""
        first = self.inflight.first_record_id if self.inflight is not None else 0
        indices = [record_id - first for record_id in error.record_ids]
        self.cancel()
        self.unload()
        message = {"type": "unavailable", "model": self.model["id"], "records": indices}
        self.send(message | {"text": str(error), "seconds": error.retry_after})

    def send_rows(self, inflight: InflightRecords, rows: list[Row]) -> None:
        if rows:
            attempt = {"task": inflight.task, "attempt": inflight.attempt}
            self.send({"type": "rows", **attempt, "rows": rows})

    def send_generating(self, inflight: InflightRecords, ready: list[tuple[int, Any]]) -> None:
        indices = [i for i, _ in ready]
        self.send({"type": "generating", "attempt": inflight.attempt, "records": indices})

    def decode_ahead(self, inflight: InflightRecords) -> None:
        """Keep the images of one batch beyond the next one in the decoding threads."""
        room = 2 * self.batch_size + self.prefetcher.threads - len(inflight.decoding)
        records = [inflight.waiting.popleft() for _ in range(min(room, len(inflight.waiting)))]
        if not records:
            return
        indices = [i for i, _ in records]
        self.send({"type": "decoding", "attempt": inflight.attempt, "records": indices})
        for i, image in records:
            inflight.decoding.append((i, image, self.prefetcher.start(i, image)))

    def collect_decoded(
        self, batch: list[tuple[int, str, Future[Any]]]
    ) -> tuple[list[Row], list[tuple[int, Any]]]:
        """Wait for the images of a batch.

        Return the rows of those that failed and the (index, prepared input) of the others. Raises
        `ImageRootLost`, `DecodingStuck`.
        """
        rows: list[Row] = []
        ready: list[tuple[int, Any]] = []
        for i, image, future in batch:
            try:
                ready.append((i, self.prefetcher.result(image, future)))
            except ImageProblem as problem:
                row = error_row(i, problem)
                rows += self.missing_images.add(row) if problem.kind == "missing" else [row]
            else:
                rows += self.missing_images.on_image_read(image)
        return rows, ready

    def step_local(self, inflight: InflightRecords, lanes: Lanes) -> None:
        """Send the rows of batches that have ended and start others.

        Raises `ImageRootLost`, `DecodingStuck`.
        """
        for batch in lanes.pop_finished():
            self.on_batch_end(batch, lanes)
        self.decode_ahead(inflight)
        while self.can_start_batch(inflight, lanes):
            size = lanes.next_size(inflight, self.batch_size)
            rows, ready = self.collect_decoded([inflight.decoding.popleft() for _ in range(size)])
            self.send_rows(inflight, rows)
            # The next images decode while this batch generates.
            self.decode_ahead(inflight)
            if ready:
                self.send_generating(inflight, ready)
                lanes.start(inflight, ready, size)

    def on_batch_end(self, batch: LaneBatch, lanes: Lanes) -> None:
        """Send the rows of a batch, and let its duration change batch size and threads."""
        try:
            captions = batch.captions.result()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            captions = self.retry_batch(batch, lanes, error)
        indices = (i for i, _ in batch.ready)
        rows = [caption_row(i, caption) for i, caption in zip(indices, captions, strict=True)]
        self.send_rows(batch.inflight, rows)
        self.tune_batch_size(batch.size)
        if self.thread_budget is not None:
            lanes.torch_threads = self.thread_budget.threads_per_batch(
                self.prefetcher.cpu_seconds, lanes.max_lanes
            )

    def retry_batch(self, batch: LaneBatch, lanes: Lanes, error: Exception) -> list[Caption]:
        """Caption a batch that did not fit into memory again, alone and in parts that fit.

        Raises the last out-of-memory error if a single image does not fit.
        """
        captions: list[Caption] = []
        ran_alone = lanes.max_lanes == 1
        lanes.use_single_lane()
        if ran_alone and len(batch.ready) <= self.batch_size:
            self.halve_batch_size(error)
        else:
            self.release_memory()
        while len(captions) < len(batch.ready):
            part = batch.ready[len(captions) : len(captions) + self.batch_size]
            try:
                captions += lanes.submit(batch.inflight, part).result()
            except Exception as part_error:
                if not is_out_of_memory(part_error):
                    raise
                self.halve_batch_size(part_error)
        return captions

    def halve_batch_size(self, error: Exception) -> None:
        """Go on with half the batch size for good. Raises `error` again at batch size 1."""
        self.release_memory()
        if self.batch_size == 1:
            raise error
        self.tuner = None
        self.set_batch_size(max(1, self.batch_size // 2), messages.OUT_OF_MEMORY)

    def release_memory(self) -> None:
        if self.captioner is not None:
            self.captioner.release()
        free_memory()

    def tune_batch_size(self, images: int) -> None:
        """Tell the tuner that a batch of so many images has ended, and do as it says."""
        if self.tuner is None:
            return
        text = self.tuner.on_batch_end(images, time.monotonic())
        if text is not None:
            self.set_batch_size(self.tuner.size, text, self.tuner.proven_size)
        if self.tuner.settled:
            self.tuner = None

    def set_batch_size(self, size: int, text: str, proven_size: int | None = None) -> None:
        """Change the batch size and report it with its reason `text`."""
        self.batch_size = size
        model = self.model["id"]
        message = {"type": "batch", "model": model, "size": size, "fits": proven_size or size}
        self.send(message | {"text": text})

    def step_remote(self, inflight: InflightRecords, captioner: RemoteCaptioner) -> None:
        """Keep a batch of records with a server and send its captions as they come.

        Raises `ImageRootLost`, `ServerUnavailable`, `DecodingStuck`.
        """
        self.decode_ahead(inflight)
        replies = inflight.pending_replies
        batch: list[tuple[int, str, Future[Any]]] = []
        while inflight.decoding and len(replies) + len(batch) < self.batch_size:
            # Replies are not held up by an image that takes long to read.
            if (replies or batch) and not inflight.decoding[0][2].done():
                break
            batch.append(inflight.decoding.popleft())
        rows, ready = self.collect_decoded(batch)
        self.send_rows(inflight, rows)
        if ready:
            self.send_generating(inflight, ready)
        for i, prepared in ready:
            record_id = inflight.first_record_id + i
            replies[captioner.submit(prepared, record_id, inflight.isolated)] = i
        self.decode_ahead(inflight)
        replies_before = captioner.ended_requests
        done, _ = wait(replies, REPLY_SECONDS, FIRST_COMPLETED)
        self.collect_replies(inflight, done)
        if captioner.ended_requests != replies_before:
            self.send({"type": "asking", "attempt": inflight.attempt})

    def collect_replies(self, inflight: InflightRecords, done: set[Future[Any]]) -> None:
        """Send the rows of replies that have come.

        Raises `ServerUnavailable` if that is one of the replies, once the others are sent.
        """
        rows: list[Row] = []
        unavailable: ServerUnavailable | None = None
        for future in done:
            i = inflight.pending_replies.pop(future)
            try:
                rows.append(caption_row(i, future.result()))
            except ImageProblem as problem:
                rows.append(error_row(i, problem))
            except ServerUnavailable as error:
                unavailable = error
        self.send_rows(inflight, rows)
        if unavailable is not None:
            raise unavailable


def caption_row(i: int, caption: Caption) -> Row:
    return {"i": i, "raw": caption.raw, "tokens": caption.tokens, "finish": caption.finish}


def error_row(i: int, problem: ImageProblem) -> Row:
    return {"i": i, "error": problem.kind, "detail": problem.detail}
