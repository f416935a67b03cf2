"""Decode steps recorded on a GPU and replayed, each by one call.

Launched from Python one operation after the other, a step keeps the GPU waiting: it reads the
weights in less time than some 500 launches take. A recording is bound to sizes and addresses, so
that there are few sizes, and the newest tokens and their place are tensors that it reads.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable

import torch

Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Token ids (rows,) and their place (1,) to logits (rows, vocabulary), nothing else of the host's.
Done twice, it leaves what it leaves the first time."""
Record = Callable[[Step, torch.Tensor, torch.Tensor], tuple[Callable[[], object], torch.Tensor]]
"""A step on these very tensors, to what replays it and the logits that it writes."""

SHARES = (0.125, 0.25, 0.5, 0.75, 1.0)
"""Of the most rows: those numbers of rows are recorded, and others fill up to the next."""
TOLERANCE = 0.05
"""By which a replayed step may differ from the recorded one, of its largest logit."""

RECORDING = threading.Lock()
"""Beginning a recording waits for the whole device, which spoils another one."""


class CannotRecord(Exception):
    """Steps have to be launched one by one."""


class StepGraphs:
    def __init__(self, step: Step, rows: int, device: torch.device, record: Record) -> None:
        """`rows` is the most there will be."""
        self.step = step
        self.record = record
        self.ids = torch.zeros(rows, dtype=torch.long, device=device)
        self.place = torch.zeros(1, dtype=torch.long, device=device)
        self.sizes = [math.ceil(rows * share) for share in SHARES]
        self.recorded: dict[int, tuple[Callable[[], object], torch.Tensor]] = {}

    def __call__(self, ids: torch.Tensor, place: int) -> torch.Tensor:
        """Logits (rows, vocabulary), until the next call. Raises `CannotRecord`."""
        rows = next(size for size in self.sizes if size >= len(ids))
        self.ids[: len(ids)] = ids
        self.place.fill_(place)
        if rows not in self.recorded:
            self.recorded[rows] = self.checked(rows)
        replay, logits = self.recorded[rows]
        replay()
        return logits[: len(ids)]

    def checked(self, rows: int) -> tuple[Callable[[], object], torch.Tensor]:
        ids = self.ids[:rows]
        try:
            expected = self.step(ids, self.place).float()
            replay, logits = self.record(self.step, ids, self.place)
            replay()
            off = (logits.float() - expected).abs().max() / expected.abs().max()
        except RuntimeError as error:
            raise CannotRecord(f"{type(error).__name__}: {error}") from error
        if not off <= TOLERANCE:
            raise CannotRecord(f"a replayed step is off by {off:.2g}")
        return replay, logits


def record(
    step: Step, ids: torch.Tensor, place: torch.Tensor
) -> tuple[Callable[[], object], torch.Tensor]:
    """On CUDA."""
    # On a stream of its own: what is recorded on one stream shares the libraries' scratch memory,
    # and batches side by side replay at the same time.
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with RECORDING:
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            step(ids, place)  # libraries make themselves ready, which no recording may hold
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
            logits = step(ids, place)
    return graph.replay, logits


def recorder(device: torch.device, wanted: bool) -> Record | None:
    return record if wanted and device.type == "cuda" else None


def say_plain(reason: CannotRecord) -> None:
    sys.stderr.write(f"decode steps are launched one by one: {reason}\n")
