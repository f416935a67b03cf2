"""The loop of a model in this process: batches in lanes, their size, and what does not fit.

It decides which records make up the next batch; `batch_lanes` runs the batches, `batch_tuner`
searches for their size, `cpu_threads` divides the cores.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Any

from engine.captioners.base import Answer, LoadedModel
from engine.hardware.memory import is_out_of_memory
from engine.images.missing_root import MissingImages
from engine.protocol.messages import BatchCause, BatchChanged, Records
from engine.worker.batch_choice import choose_batch
from engine.worker.batch_lanes import LaneBatch, Lanes
from engine.worker.batch_tuner import BatchTuner
from engine.worker.caption_loop import CaptionLoop, PreparedRecord, Send, answer_row
from engine.worker.cpu_threads import ThreadBudget
from engine.worker.image_prefetch import ImagePrefetcher
from engine.worker.inflight import InflightRecords
from engine.worker.runtime import free_memory

FIRST_BATCH = 1
"""Images of the first batch on a CPU, where a full batch of a large model takes minutes."""
FIRST_GROWTH = 4
"""How many times as large each further batch is until the batch size is reached. Small batches are
slow, because each decode step reads all weights: there should be few of them."""


class LocalLoop(CaptionLoop[LoadedModel]):
    """A model that captions in batches, in this process (see `CaptionLoop`)."""

    def __init__(
        self,
        *,
        model_id: int,
        captioner: LoadedModel,
        batch_size: int,
        prefetcher: ImagePrefetcher,
        missing_images: MissingImages,
        send: Send,
        wake: Callable[[], None],
        lanes: Lanes,
        tuner: BatchTuner | None = None,
        thread_budget: ThreadBudget | None = None,
        first_batch: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take over model and lanes, which `close` frees.

        `first_batch` is the size of the first batch, from which batches grow to `batch_size`; with
        None the first has `batch_size`. `wake` has the main thread look for work again; any thread
        may call it.
        """
        super().__init__(
            model_id=model_id,
            captioner=captioner,
            batch_size=batch_size,
            prefetcher=prefetcher,
            missing_images=missing_images,
            send=send,
        )
        self.wake = wake
        self.lanes = lanes
        self.tuner = tuner
        """The search for the batch size, while it goes on."""
        self.thread_budget = thread_budget
        """The division of the cores; None unless the model computes on the CPU."""
        self.growing_size = first_batch
        """The size of the next batch while the first batches grow; None once they have grown."""
        self.monotonic = monotonic
        self.awaited_image: Future[Any] | None = None
        """The image whose end of decoding calls `wake`, since the next batch waits for it."""

    def close(self) -> None:
        """Forget the records, wait for the running batches and free the model."""
        super().close()
        self.lanes.close()

    def begin_attempt(self, message: Records) -> InflightRecords:
        if self.tuner is not None:
            self.tuner.resume(self.monotonic())
        return super().begin_attempt(message)

    def release_attempt(self) -> None:
        super().release_attempt()
        self.awaited_image = None

    @property
    def full_batch(self) -> int:
        """Images of the next batch, if there are as many."""
        return self.growing_size or self.batch_size

    def can_advance(self, inflight: InflightRecords) -> bool:
        return bool(self.lanes.finished) or self.can_start_batch(inflight)

    def can_start_batch(self, inflight: InflightRecords) -> bool:
        """Return True if a batch can start now.

        Its images are waited for only where no other batch runs.
        """
        full = inflight.queued >= self.full_batch
        if self.lanes.free_lanes < 1 or not (full or (inflight.queued and inflight.complete)):
            return False
        if not self.lanes.running:
            return True
        if inflight.isolated:  # what still runs belongs to an attempt that was cancelled
            return False
        self.decode_ahead(inflight)
        missing = self.lanes.next_size(inflight, self.full_batch) - len(inflight.ready)
        batch = islice(inflight.decoding, max(0, missing))
        undecoded = [image for _, _, image in batch if not image.done()]
        if undecoded and undecoded[-1] is not self.awaited_image:
            self.awaited_image = undecoded[-1]
            self.awaited_image.add_done_callback(lambda _: self.wake())
        return not undecoded

    def advance(self, inflight: InflightRecords) -> None:
        for batch in self.lanes.pop_finished():
            self.on_batch_end(batch)
        self.decode_ahead(inflight)
        while self.can_start_batch(inflight):
            size = self.lanes.next_size(inflight, self.full_batch)
            began, idle = self.monotonic(), not self.lanes.running
            ready = self.take_batch(inflight, size)
            self.image_wait += (self.monotonic() - began) * idle
            # The next images decode while this batch generates.
            self.decode_ahead(inflight)
            self.send_generating(inflight, ready)
            if ready:
                self.share_cores(inflight)
                self.lanes.start(inflight, ready, size)

    def take_batch(self, inflight: InflightRecords, size: int) -> list[PreparedRecord]:
        """Wait until `size` images are ready, if there are as many, and return those of a batch.

        Raises `ImageRootLost`, `DecodingStuck`.
        """
        while inflight.decoding and (len(inflight.ready) < size or inflight.decoding[0][2].done()):
            rows, ready = self.collect_decoded(inflight, [inflight.decoding.popleft()])
            self.send_rows(inflight, rows)
            inflight.ready.extend(ready)
        lengths = [self.captioner.prompt_length(prepared) for _, prepared in inflight.ready]
        batch = [inflight.ready[position] for position in choose_batch(lengths, size)]
        taken_indexes = {i for i, _ in batch}
        inflight.ready = deque(it for it in inflight.ready if it[0] not in taken_indexes)
        return batch

    def on_batch_end(self, batch: LaneBatch) -> None:
        """Send the rows of a batch, and let its duration change batch size and threads."""
        try:
            answers: Sequence[Answer] = batch.answers.result()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            answers = self.retry_batch(batch, error)
        rows = [answer_row(i, answer) for (i, _), answer in zip(batch.ready, answers, strict=True)]
        self.send_rows(batch.inflight, rows)
        self.tune_batch_size(batch.size, len(batch.ready))
        if self.growing_size is not None:
            larger = self.growing_size * FIRST_GROWTH
            self.growing_size = larger if larger < self.batch_size else None

    def share_cores(self, inflight: InflightRecords) -> None:
        """Give the next batch its share of the cores: all that decoding leaves if it runs alone."""
        if self.thread_budget is None:
            return
        alone = inflight.exhausted and not self.lanes.running
        self.lanes.torch_threads = self.thread_budget.threads_per_batch(
            self.prefetcher.cpu_seconds, 1 if alone else self.lanes.open_lanes
        )

    def retry_batch(self, batch: LaneBatch, error: Exception) -> list[Answer]:
        """Caption a batch that did not fit into memory again, alone and in parts that fit.

        Raises the last out-of-memory error if a single image does not fit.
        """
        answers: list[Answer] = []
        ran_alone = self.lanes.max_lanes == 1
        self.lanes.use_single_lane()
        images = len(batch.ready)
        if ran_alone and batch.size <= self.batch_size:
            images = self.halve_batch_size(batch.size, images, error)
        else:
            self.release_memory()
        while len(answers) < len(batch.ready):
            part = batch.ready[len(answers) : len(answers) + min(images, self.batch_size)]
            try:
                answers += self.lanes.submit(batch.inflight, part).result()
            except Exception as part_error:
                if not is_out_of_memory(part_error):
                    raise
                size = min(batch.size, self.batch_size)
                images = self.halve_batch_size(size, len(part), part_error)
        return answers

    def halve_batch_size(self, size: int, images: int, error: Exception) -> int:
        """Go on for good with half of a batch size that did not fit.

        Return half of its `images`, of which there may be fewer. Raises `error` again for one.
        """
        self.release_memory()
        if images == 1:
            raise error
        self.tuner = self.growing_size = None
        half = size // 2
        self.set_batch_size(half, fits=half, cause="out_of_memory", text="out of memory")
        return images // 2

    def release_memory(self) -> None:
        self.captioner.release()
        free_memory()

    def tune_batch_size(self, size: int, images: int) -> None:
        """Tell the tuner that a batch has ended, and do as it says.

        The arguments are those of `BatchTuner.on_batch_end`.
        """
        tuner = self.tuner
        if tuner is None:
            return
        text = tuner.on_batch_end(size, images, self.monotonic())
        if text is not None:
            self.set_batch_size(tuner.size, fits=tuner.proven_size, cause="throughput", text=text)
        if tuner.settled:
            self.tuner = None

    def set_batch_size(self, size: int, *, fits: int, cause: BatchCause, text: str) -> None:
        """Change the batch size and report it; the arguments are fields of `BatchChanged`."""
        self.batch_size = size
        self.send(BatchChanged(model=self.model_id, size=size, fits=fits, cause=cause, text=text))
