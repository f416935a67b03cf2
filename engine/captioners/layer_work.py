"""The work that a model is, in figures: what `engine.captioners.sizing` finds out.

This module imports no torch: who estimates a run reads what another process has measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingJob:
    """A model that is to be sized."""

    family: str
    checkpoint: str
    settings: dict[str, Any] = field(hash=False)
    device: str
    """The kind of device: `cpu`, `cuda`, `mps`."""
    images: list[str] = field(hash=False)
    """Paths of images such as those of the data set."""
    timed: bool
    """True if layers are to be timed on the device, not only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """What a model takes, of one image unless it says otherwise."""

    parameters: int
    prompt_tokens: int
    prefill_flops: int
    """Floating-point operations of the vision side and of the prompt."""
    step_flops: int
    """Those of all decode steps."""
    step_bytes: int
    """Bytes that all decode steps of a batch read of the weights."""
    row_step_bytes: int
    """Bytes that they read of the KV cache."""
    weight_bytes: int
    """Bytes of the weights in memory."""
    row_bytes: int
    """Bytes in memory that a row of a batch adds."""
    batch: int
    """Images of a batch."""
    prepare_seconds: float
    """Seconds of one core of this machine to read and prepare an image."""
    caption_seconds: float | None
    """Seconds in the model on a device of this machine; None if that was not timed."""
