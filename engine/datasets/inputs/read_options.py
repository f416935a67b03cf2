"""How a person wants inputs to be read: options that hold for all inputs of a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Quoting = Literal["auto", "csv", "none"]
"""What a quotation mark at the start of a cell of CSV or TSV means. "csv": the cell ends at the
next one, and may hold line breaks and delimiters. "auto": the same, but a cell that seems to have
swallowed other rows is refused. "none": nothing."""
QUOTINGS: tuple[Quoting, ...] = get_args(Quoting)
SeveralCaptions = Literal["first", "each"]
"""What becomes of an image that comes with several captions. "first": one record, with the first of
them; the others are counted. "each": a record for each."""
SEVERAL_CAPTIONS: tuple[SeveralCaptions, ...] = get_args(SeveralCaptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """Settings of the readers."""

    image_column: str | None = None
    """The column or key of image paths; None means the usual names."""
    caption_column: str | None = None
    """The column or key of captions; None means the usual names."""
    quoting: Quoting = "auto"
    several_captions: SeveralCaptions = "first"

    @property
    def names_columns(self) -> bool:
        """True if a person names a column or key."""
        return self.image_column is not None or self.caption_column is not None
