"""Decode steps that are captured as CUDA graphs and replayed, each by one call.

Launched from Python one operation after the other, a decode step keeps the GPU waiting: the GPU
reads the weights in less time than some 500 kernel launches take. A captured graph is bound to
sizes and addresses. So there are few sizes (`ROW_FRACTIONS`), and the newest token ids and their
position in the KV cache are tensors that the graph reads.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable

import torch

DecodeStep = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""A decode step: token ids (rows,) and their position (1,) in the KV cache to logits
(rows, vocabulary). A step reads nothing else from the host, and running it twice leaves the same
state as running it once."""
Replay = Callable[[], object]
"""Runs a captured step again, on the tensors with which it was captured."""
Capture = Callable[[DecodeStep, torch.Tensor, torch.Tensor], tuple[Replay, torch.Tensor]]
"""Captures a step on these very token ids and position; returns its replay, and the logits that
each replay overwrites."""

ROW_FRACTIONS = (0.125, 0.25, 0.5, 0.75, 1.0)
"""Row counts that are captured, as fractions of the largest batch. A batch of another size is
filled up to the next of them; five keep the padding small and the captures few."""
REPLAY_TOLERANCE = 0.05
"""Largest difference between a replayed and a launched step, as a fraction of the largest logit."""

CAPTURE_LOCK = threading.Lock()
"""Held while a graph is captured: beginning a capture waits for the whole device, which would break
a capture in another thread."""


class CaptureFailed(Exception):
    """A step cannot be captured, or replays wrongly: steps have to be launched one by one."""


class StepGraphs:
    """The captured graphs of one decode step, one graph for each row count in use."""

    def __init__(
        self, step: DecodeStep, max_rows: int, device: torch.device, capture: Capture
    ) -> None:
        self.step = step
        self.capture = capture
        self.input_ids = torch.zeros(max_rows, dtype=torch.long, device=device)
        self.position = torch.zeros(1, dtype=torch.long, device=device)
        self.sizes = [math.ceil(max_rows * fraction) for fraction in ROW_FRACTIONS]
        self.captured: dict[int, tuple[Replay, torch.Tensor]] = {}

    def __call__(self, input_ids: torch.Tensor, position: int) -> torch.Tensor:
        """Return logits (rows, vocabulary), which the next call overwrites.

        Raises `CaptureFailed`.
        """
        rows = next(size for size in self.sizes if size >= len(input_ids))
        self.input_ids[: len(input_ids)] = input_ids
        self.position.fill_(position)
        if rows not in self.captured:
            self.captured[rows] = self.capture_checked(rows)
        replay, logits = self.captured[rows]
        replay()
        return logits[: len(input_ids)]

    def capture_checked(self, rows: int) -> tuple[Replay, torch.Tensor]:
        """Capture the step and compare one replay with the launched step.

        Raises `CaptureFailed`.
        """
        input_ids = self.input_ids[:rows]
        try:
            expected = self.step(input_ids, self.position).float()
            replay, logits = self.capture(self.step, input_ids, self.position)
            replay()
            difference = (logits.float() - expected).abs().max() / expected.abs().max()
        except RuntimeError as error:
            raise CaptureFailed(f"{type(error).__name__}: {error}") from error
        if not difference <= REPLAY_TOLERANCE:  # also where the difference is NaN
            raise CaptureFailed(f"a replayed step is off by {difference:.2g}")
        return replay, logits


def capture_cuda_graph(
    step: DecodeStep, input_ids: torch.Tensor, position: torch.Tensor
) -> tuple[Replay, torch.Tensor]:
    """Capture a step as a CUDA graph: the `Capture` of CUDA devices."""
    # On a stream of its own: what is captured on one stream shares the libraries' scratch memory,
    # and batches side by side replay at the same time.
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with CAPTURE_LOCK:
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            step(input_ids, position)  # libraries initialise here, which no capture may contain
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            logits = step(input_ids, position)
    return graph.replay, logits


def capture_for(device: torch.device, enabled: bool) -> Capture | None:
    """Return how steps are captured on `device`; None if they are launched one by one."""
    return capture_cuda_graph if enabled and device.type == "cuda" else None


def report_fallback(reason: CaptureFailed) -> None:
    """Write to the worker's log (stderr) that steps are launched one by one, and why."""
    sys.stderr.write(f"CUDA graphs are disabled: {reason}\n")
