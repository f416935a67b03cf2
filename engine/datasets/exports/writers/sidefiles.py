"""`sidefiles`: each image with a .txt beside it, which holds one caption a line.

OneTrainer draws a line anew each time (`LoadMultipleTexts`), as do SimpleTuner and, with
`enable_wildcard`, sd-scripts (library/train_util.py), which else takes the first line. ai-toolkit
joins the lines: `plan.text` writes one. With `enable_wildcard`, sd-scripts replaces what stands in
braces; all of them strip blanks from the ends of a line. Captions that would come out otherwise
than they are here are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.image_placing import place_image
from engine.datasets.exports.writers.row_choice import (
    Tally,
    any_path,
    chosen_captions,
    fitting_rows,
    is_utf8,
)
from engine.images.image import ImageProblem

READ_BY_TRAINERS = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp"))
"""The suffixes of the images that all four programs take."""


def fits(text: str) -> bool:
    """Return True if a line with this text is read as this text, but for blanks at its ends."""
    return (
        is_utf8(text)
        and not base.LINE_BREAKS.search(text)
        and "{" not in text
        and "}" not in text
        and not text.isspace()
    )


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    """Write the shard's images and side files; there are no pieces.

    All lie in one folder: sd-scripts looks into no other.
    """
    tally, written = Tally(), 0
    for row in fitting_rows(plan, shard_captions, fits, path_fits=any_path):
        captions = chosen_captions(plan, row, "expand")
        stem = out / f"{row.record_id:09}"
        if captions:
            try:
                written += place_image(plan, row.image, stem, READ_BY_TRAINERS)[1]
            except ImageProblem:
                continue
            text = "".join(f"{caption}\n" for _, caption in captions)
            written += stem.with_suffix(".txt").write_bytes(text.encode())
        tally.add(row, len(captions))
    return tally.encoded([], written)


class Writer(base.Writer):
    """A writer that makes the folder; `encode` writes what is in it."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        super().__init__(out, plan)
        out.mkdir()

    def append(self, pieces: list[Any]) -> int:
        return 0
