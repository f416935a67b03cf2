"""Batches that are captioned side by side, each in a thread of its own.

One batch alone leaves a part of the machine idle: the arithmetic of a GPU while tokens are chosen
one after the other, a CPU's other cores whenever no images are left to decode.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from math import ceil
from typing import Any

from engine.captioners.base import Caption, Captioner
from engine.worker.inflight import Work

MOST = 2
LAST = 0.25
"""Of a batch: the least that is worth a batch of its own at the end of a shard."""


@dataclass(slots=True, eq=False)
class Batch:
    work: Work
    ready: list[tuple[int, Any]]
    """Records and their inputs."""
    size: int
    """Of the batch with the images that could not be read."""
    captions: Future[list[Caption]]


class Lanes:
    def __init__(
        self, captioner: Captioner, most: int, wake: Callable[[], None], device: str
    ) -> None:
        """`wake` is called from other threads, whenever a batch ends."""
        self.captioner = captioner
        self.wake = wake
        self.on_gpu = device == "cuda"
        self.threads: int | None = None
        """Of each batch's operations, where a CPU's cores are shared out."""
        self.running: list[Batch] = []
        self.over: deque[Batch] = deque()
        """Of those, what ended and was not looked at."""
        self.widen(most)

    def widen(self, most: int) -> None:
        self.most = most
        self.open = 1
        """For now: in the first batch, libraries and tables are made ready."""
        self.pool = ThreadPoolExecutor(most, "lane", self.own_stream)

    def own_stream(self) -> None:
        """Else a GPU would do one batch after the other all the same."""
        if self.on_gpu and self.most > 1:
            import torch

            torch.cuda.synchronize()  # with what was loaded
            torch.cuda.set_stream(torch.cuda.Stream())  # type: ignore[no-untyped-call]

    @property
    def free(self) -> int:
        return self.open - len(self.running)

    def next_size(self, work: Work, batch: int) -> int:
        """Of a batch: the last ones are smaller, so that all lanes end at about the same time."""
        if not work.complete or self.most == 1:
            return min(batch, work.held)
        least = max(ceil(work.held / self.most), ceil(batch * LAST))
        return min(batch, work.held, least)

    def begin(self, work: Work, ready: list[tuple[int, Any]], size: int) -> None:
        batch = Batch(work, ready, size, self.submit(work, ready))
        self.running.append(batch)
        batch.captions.add_done_callback(lambda _: self.end(batch))

    def submit(self, work: Work, ready: list[tuple[int, Any]]) -> Future[list[Caption]]:
        inputs, records = [it for _, it in ready], [work.first + i for i, _ in ready]
        return self.pool.submit(self.caption, inputs, records)

    def caption(self, inputs: list[Any], records: list[int]) -> list[Caption]:
        torch = sys.modules.get("torch")
        # Each thread has a number of its own.
        if self.threads and torch is not None and torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        return self.captioner.caption(inputs, records)

    def end(self, batch: Batch) -> None:
        self.over.append(batch)
        self.wake()

    def ended(self) -> Iterator[Batch]:
        while self.over:
            batch = self.over.popleft()
            self.running.remove(batch)
            self.open = self.most
            yield batch

    def wait(self) -> None:
        """Until nothing is computed any more."""
        wait([batch.captions for batch in self.running])

    def narrow(self) -> None:
        """One batch at a time from now on; waits for those that run."""
        self.wait()
        if self.most > 1:
            self.pool.shutdown()
            self.widen(1)

    def close(self) -> None:
        """Waits for what runs, whose captions are lost."""
        self.pool.shutdown()
