"""What failed for a cause, by image: one row an image, with the models that it failed with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.formatting import text

if TYPE_CHECKING:
    from db.failures import Occurrence
    from db.rows import RecordKey


@dataclass(frozen=True, slots=True)
class FailedImage:
    """An image that failed with some models, or a shard that failed with one."""

    failures: tuple[Occurrence, ...]
    """What failed, one a model; there is one at least."""

    @property
    def shard(self) -> int:
        return self.failures[0].shard

    @property
    def record_key(self) -> RecordKey | None:
        """The key of the image's record; None for a shard."""
        index = self.failures[0].index
        return None if index is None else (self.shard, index)

    @property
    def row_key(self) -> object:
        """What identifies the row in a table."""
        return self.record_key or self.failures[0].task_id

    @property
    def failed_at(self) -> float:
        """When the last of them failed, in seconds since the epoch."""
        return max(failure.failed_at for failure in self.failures)

    @property
    def name(self) -> str:
        """The record as shard and index, or the shard."""
        index = self.failures[0].index
        return f"{self.shard:05}" if index is None else f"{self.shard:05}/{index}"


@dataclass(frozen=True, slots=True)
class ImagePlace:
    """Where the image of a record is."""

    image: str
    """As the input names it."""
    path: str
    """The path of its file; empty if there can be none."""

    @property
    def shown(self) -> str:
        """The path, or what the input says if that leads to no file."""
        return self.path or self.image


def by_image(occurrences: Iterable[Occurrence]) -> list[FailedImage]:
    """Return one row an image, or a shard, in the order of their first failures."""
    rows: dict[object, list[Occurrence]] = {}
    for each in occurrences:
        key = each.task_id if each.index is None else (each.shard, each.index)
        rows.setdefault(key, []).append(each)
    return [FailedImage(tuple(failures)) for failures in rows.values()]


def failure_lines(
    row: FailedImage, place: ImagePlace | None, model_name: Callable[[int], str]
) -> list[str]:
    """Return where the image of a row lies, and what happened with each model, in full."""
    lines = [f"{row.name}  {text.visible(place.image)}" if place else row.name]
    if place and place.path and place.path != place.image:
        lines.append(f"file  {text.visible(place.path)}")
    for failure in row.failures:
        device = f" on {text.visible(failure.device)}" if failure.device else ""
        when = f"{text.day_and_clock(failure.failed_at)}, attempt {failure.attempt}"
        lines.append(f"{text.visible(model_name(failure.model_id))}{device}, {when}")
        lines.append(f"  {text.visible(failure.detail)}" if failure.detail else "  no detail")
    return lines


def records_by_task(rows: Iterable[FailedImage]) -> Mapping[int, list[int]]:
    """Return the indexes of the records of these rows, by the ids of their tasks."""
    found: dict[int, list[int]] = {}
    for failure in (failure for row in rows for failure in row.failures):
        if failure.index is not None:
            found.setdefault(failure.task_id, []).append(failure.index)
    return found
