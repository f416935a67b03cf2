"""What an export takes and what it leaves out, so that both add up to what it read.

Light to import, without the database: other processes start with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields

from engine.project.damage import Damage

TOO_SHORT = "with too few words"
CUT_OFF = "cut off by the token cap"
"""Reasons for which captions are left out, whatever their quality is."""


@dataclass(slots=True, kw_only=True)
class ExportCounts:
    """Counts of one shard or of a whole export; `of_images` and `of_captions` name the reasons."""

    records: int = 0
    """Records that were read; each has one image."""
    images: int = 0
    """Images that are written, with at least one caption."""
    unreadable_images: int = 0
    """Images that are known to be unreadable or missing, or that a person excluded."""
    flagged_images: int = 0
    """Images that a person flagged, where those are left out."""
    unflagged_images: int = 0
    """Images of which nothing is flagged, where only what is flagged is taken."""
    uncaptioned: int = 0
    """Images of which no caption is left to be written."""
    unchosen_images: int = 0
    """Images that lack the text which was chosen."""
    unfit: int = 0
    """Images that the format cannot hold, or none of whose captions it can hold."""
    possible: int = 0
    """Captions that there can be: one a record and model, and one a record for the originals."""
    captions: int = 0
    """Captions that are written."""
    failed: int = 0
    """Captions that failed."""
    empty: int = 0
    """Captions of which shearing leaves nothing."""
    missing: int = 0
    """Captions that are not there yet."""
    no_original: int = 0
    """Records that came without a caption, where the original captions are exported."""
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Captions that are too short or cut off, where those are left out, and captions that the
    filters by quality leave out, by (name of the column, reason)."""
    unreadable: int = 0
    """Captions of images that are known to be unreadable or missing, or that were excluded."""
    flagged: int = 0
    """Captions of records that a person flagged, where those are left out."""
    flagged_captions: int = 0
    """Captions that a person flagged by themselves, where those are left out."""
    unflagged: int = 0
    """Captions that are not flagged, where only what is flagged is taken."""
    unchosen: int = 0
    """Captions that are not the text which was chosen."""
    unfit_captions: int = 0
    """Captions that the format cannot hold, or whose image it cannot hold."""
    damaged: int = 0
    """Captions that the files in `damage` would hold."""
    damage: tuple[Damage, ...] = ()
    """Files that are not as the project recorded them; nothing of them is taken."""

    def add(self, other: ExportCounts) -> None:
        """Add the counts of another shard to these."""
        for entry in fields(ExportCounts):
            value = getattr(self, entry.name) + getattr(other, entry.name)
            setattr(self, entry.name, value)

    def of_images(self) -> dict[str, int]:
        """Return what became of the records' images, by words for people; the sum is `records`."""
        return {
            "written": self.images,
            "known to be unreadable, missing or excluded": self.unreadable_images,
            "flagged": self.flagged_images,
            "not flagged": self.unflagged_images,
            "without a caption": self.uncaptioned,
            "without the chosen text": self.unchosen_images,
            "that do not fit the format": self.unfit,
        }

    def left_out_by_reason(self) -> dict[str, int]:
        """Return how many captions `left_out` counts, the commonest reason first."""
        by_reason: Counter[str] = Counter()
        for (_, reason), captions in self.left_out.items():
            by_reason[reason] += captions
        return dict(sorted(by_reason.items(), key=lambda item: (-item[1], item[0])))

    def of_captions(self) -> dict[str, int]:
        """Return what became of the captions, by words for people; the sum is `possible`."""
        return {
            "written": self.captions,
            "failed": self.failed,
            "sheared to nothing": self.empty,
            "not there yet": self.missing,
            "without an original": self.no_original,
            **self.left_out_by_reason(),
            "of unreadable, missing or excluded images": self.unreadable,
            "of flagged records": self.flagged,
            "flagged": self.flagged_captions,
            "not flagged": self.unflagged,
            "not the chosen text": self.unchosen,
            "that do not fit the format": self.unfit_captions,
            "in damaged files": self.damaged,
        }

    @property
    def unwanted_images(self) -> int:
        """Images that are left out whatever captions they have."""
        return self.unreadable_images + self.flagged_images + self.unflagged_images

    def sum_line(self) -> str:
        """Return the line that adds up: what was read is what is written and what is left out."""
        images = describe_sum(self.records, "images", self.of_images())
        return f"{images}; {describe_sum(self.possible, 'captions', self.of_captions())}"


def describe_sum(total: int, noun: str, parts: dict[str, int]) -> str:
    """Return a sum in words. What is zero is not named, but for the first part."""
    named = [
        f"{count:,} {reason}" for n, (reason, count) in enumerate(parts.items()) if count or not n
    ]
    return f"{total:,} {noun} = {' + '.join(named)}"
