"""Batches of one worker that are captioned side by side, each in a thread of its own.

One batch alone leaves a part of the machine idle: the arithmetic units of a GPU while tokens are
chosen one after the other, the other cores of a CPU while no images are left to decode. This module
runs batches; `local_loop` decides which records go into them.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from math import ceil
from typing import Any

from engine.captioners.base import Answer, LoadedModel
from engine.worker.inflight import InflightRecords

MAX_LANES = 2
"""Largest number of batches that a worker captions at the same time."""
MIN_LAST_FRACTION = 0.25
"""Smallest fraction of a full batch that is worth running on its own at the end of a shard."""


@dataclass(slots=True, eq=False)
class LaneBatch:
    """One batch that a lane is captioning or has captioned."""

    inflight: InflightRecords
    """The attempt that the batch belongs to; by now the worker may hold records of another."""
    ready: list[tuple[int, Any]]
    """(index, prepared input) of each record that is captioned."""
    size: int
    """Number of records that would have been taken if all were of mean length."""
    answers: Future[Sequence[Answer]]
    """What the model makes of each record."""


class Lanes:
    """The threads of a loaded model, each of which captions one batch at a time."""

    def __init__(
        self, captioner: LoadedModel, max_lanes: int, wake: Callable[[], None], device: str
    ) -> None:
        """Start without a batch. `wake` is called in a lane's thread whenever a batch ends."""
        self.captioner = captioner
        self.wake = wake
        self.on_gpu = device == "cuda"
        self.torch_threads: int | None = None
        """Torch threads for the operations of each batch; None leaves torch's own number."""
        self.running: list[LaneBatch] = []
        """Batches that were started and not yet yielded by `pop_finished`."""
        self.finished: deque[LaneBatch] = deque()
        """The running batches that have ended."""
        self.max_lanes = max_lanes
        # Libraries and tables are made ready in the first batch, which therefore runs alone.
        self.open_lanes = 1
        """Number of batches that may run at the same time now."""
        self.pool = self.make_pool()

    def make_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.max_lanes, "lane", self.use_own_stream)

    def use_own_stream(self) -> None:
        """Give the calling lane its own CUDA stream; on the default one batches would serialise."""
        if self.on_gpu and self.max_lanes > 1:
            import torch

            torch.cuda.synchronize()  # the weights were loaded on another stream
            torch.cuda.set_stream(torch.cuda.Stream())  # type: ignore[no-untyped-call]

    @property
    def free_lanes(self) -> int:
        return self.open_lanes - len(self.running)

    def next_size(self, inflight: InflightRecords, batch_size: int) -> int:
        """Return how many of the queued records the next batch takes, at most `batch_size`.

        The last batches of a shard are smaller, so that all lanes end at about the same time.
        """
        if not inflight.complete or self.max_lanes == 1:
            return min(batch_size, inflight.queued)
        least = max(ceil(inflight.queued / self.max_lanes), ceil(batch_size * MIN_LAST_FRACTION))
        return min(batch_size, inflight.queued, least)

    def start(self, inflight: InflightRecords, ready: list[tuple[int, Any]], size: int) -> None:
        """Start a batch. The arguments are the fields of `LaneBatch`; a lane must be free."""
        batch = LaneBatch(inflight, ready, size, self.submit(inflight, ready))
        self.running.append(batch)
        batch.answers.add_done_callback(lambda _: self.on_batch_end(batch))

    def submit(
        self, inflight: InflightRecords, ready: list[tuple[int, Any]]
    ) -> Future[Sequence[Answer]]:
        """Caption (index, prepared input) pairs in a lane's thread, outside of `running`."""
        inputs = [prepared for _, prepared in ready]
        record_ids = [inflight.first_record_id + i for i, _ in ready]
        model = inflight.model or self.captioner
        return self.pool.submit(self.caption, model, inputs, record_ids)

    def caption(
        self, model: LoadedModel, inputs: list[Any], record_ids: list[int]
    ) -> Sequence[Answer]:
        torch = sys.modules.get("torch")
        threads = self.torch_threads
        # Torch keeps a number of threads for each thread that calls it: set it in this one.
        if threads and torch is not None and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        return model.answer_each(inputs, record_ids)

    def on_batch_end(self, batch: LaneBatch) -> None:
        self.finished.append(batch)
        self.wake()

    def pop_finished(self) -> Iterator[LaneBatch]:
        """Yield each batch that has ended once, in the order in which they ended."""
        while self.finished:
            batch = self.finished.popleft()
            self.running.remove(batch)
            self.open_lanes = self.max_lanes
            yield batch

    def wait(self) -> None:
        """Wait until no batch is being captioned; the batches stay to be popped."""
        wait([batch.answers for batch in self.running])

    def use_single_lane(self) -> None:
        """Wait for the running batches; from then on one batch runs at a time."""
        self.wait()
        if self.max_lanes > 1:
            self.pool.shutdown()
            self.max_lanes = self.open_lanes = 1
            self.pool = self.make_pool()

    def close(self) -> None:
        """Wait for the running batches and discard their captions."""
        self.pool.shutdown()
