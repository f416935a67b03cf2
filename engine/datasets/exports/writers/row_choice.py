"""Which captions of an image a format gets: those that its reader takes as they are, and of these
the chosen ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from engine.datasets.exports.shard_captions import CaptionColumn, ShardCaptions
from engine.datasets.exports.writers import base

SURROGATE = b"\\ud"
"""The beginning of a lone surrogate in JSON."""


def is_utf8(text: str) -> bool:
    """Return True if a text can be written as UTF-8: a lone surrogate cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def any_path(_: str) -> bool:
    """Return True: for formats that hold the image, whose path then only tells where it is from."""
    return True


def fitting_rows(
    plan: base.ExportPlan,
    shard_captions: ShardCaptions,
    fits: Callable[[str], bool] = is_utf8,
    path_fits: Callable[[str], bool] = is_utf8,
) -> Iterator[base.ExportRow]:
    """Yield the images of a shard with the captions that fit the format, None for the others.

    Images whose path does not fit, or none of whose captions, are passed over.
    """
    rows = base.rows_of(plan, shard_captions)
    if fits is is_utf8 and not may_hold_surrogates(base.columns_of(plan, shard_captions)):
        yield from (row for row in rows if path_fits(row.path))
        return
    for row in rows:
        if not path_fits(row.path):
            continue
        for caption in row.captions:
            if caption is not None and not fits(caption):
                break
        else:
            yield row
            continue
        captions = [caption if caption and fits(caption) else None for caption in row.captions]
        if any(captions):
            yield row._replace(captions=captions)


def may_hold_surrogates(columns: Sequence[CaptionColumn]) -> bool:
    """Return False if no caption has a lone surrogate, which JSON writes as an escape."""
    return any(SURROGATE in b"".join(filter(None, column)) for column in columns)


def chosen_captions(
    plan: base.ExportPlan, row: base.ExportRow, default: str
) -> list[tuple[int, str]]:
    """Return the captions that `plan.text` chooses, with the indices of their columns.

    `default` is what is chosen where the plan says nothing: `first`, `random` or `expand`.
    """
    captions = [(column, caption) for column, caption in enumerate(row.captions) if caption]
    text = plan.text or default
    if text == "expand":
        return captions
    if text == "first":
        return captions[:1]
    if text == "random":
        return [captions[draw(row.record_id, len(captions))]]
    return [(column, caption) for column, caption in captions if plan.names[column] == text]


def draw(record_id: int, count: int) -> int:
    """Return which of a record's `count` captions is drawn: always the same for the same record."""
    digest = hashlib.blake2b(str(record_id).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % count


@dataclass(slots=True)
class Tally:
    """Counts what a writer writes of the rows that it goes through."""

    captions: int = 0
    images: int = 0
    unchosen: int = 0
    unchosen_images: int = 0

    def add(self, row: base.ExportRow, written: int | None = None) -> None:
        """Count a row of which so many captions are chosen; None stands for all of them."""
        captions = base.count_captions(row)
        written = captions if written is None else written
        self.captions += written
        self.unchosen += captions - written
        if written:
            self.images += 1
        else:
            self.unchosen_images += 1

    def add_fitting(self, captions: int) -> None:
        """Count an image of which so many captions are written, and the others do not fit."""
        self.captions += captions
        self.images += 1

    def encoded(self, pieces: list[object], bytes_written: int = 0) -> base.EncodedShard:
        """Return the encoded shard with these counts."""
        return base.EncodedShard(
            pieces=pieces,
            captions=self.captions,
            images=self.images,
            unchosen=self.unchosen,
            unchosen_images=self.unchosen_images,
            bytes=bytes_written,
        )


def readable_path(path: str) -> str:
    """Return a path as UTF-8 can hold it, with a `?` for each byte that it cannot.

    For where a path only tells where an image comes from.
    """
    return path.encode("utf-8", "replace").decode()
