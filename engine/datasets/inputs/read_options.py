"""How a person wants inputs to be read: options that hold for all inputs of a command."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """Settings of the readers."""

    image_column: str | None = None
    """The column or key of image paths; None means the usual names."""
    caption_column: str | None = None
    """The column or key of captions; None means the usual names."""
