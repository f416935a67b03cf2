"""The JSON of one {"image", "caption"} object per caption, for several formats.

The JSON of paths and captions is copied from where it was read, not encoded again.
"""

from __future__ import annotations

from itertools import chain

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers.base import ColumnOrigin, ExportPlan, columns_of
from engine.utils import jsonlines


def open_objects(plan: ExportPlan, shard_captions: ShardCaptions) -> list[list[bytes | None]]:
    """Return the objects without their closing braces, which `join_objects` adds.

    There is one list per column, in the order of `plan.names`; None stands for no caption.
    """
    images = shard_captions.images
    if plan.rewrites_paths:
        images = list(map(plan.map_path, images))
    encoded = jsonlines.dumps_lines(images).splitlines()
    heads = [b'{"image": ' + image + b', "caption": ' for image in encoded]
    columns = columns_of(plan, shard_captions)
    if not plan.provenance:
        return [
            [
                None if caption is None else head + caption
                for head, caption in zip(heads, column, strict=True)
            ]
            for column in columns
        ]
    finishes = [[None] * len(heads)] * plan.with_original + shard_captions.finishes
    first = shard_captions.shard.first
    return [
        [
            None if caption is None else head + caption + tail_of(origin, record_id, finish)
            for record_id, (head, caption, finish) in enumerate(
                zip(heads, column, column_finishes, strict=True), first
            )
        ]
        for column, column_finishes, origin in zip(columns, finishes, plan.origins, strict=True)
    ]


def objects_by_image(plan: ExportPlan, shard_captions: ShardCaptions) -> list[bytes]:
    """Return all objects, as `open_objects` does: image by image, the original caption first."""
    columns = open_objects(plan, shard_captions)
    return list(filter(None, chain.from_iterable(zip(*columns, strict=True))))


def join_objects(objects: list[bytes], separator: bytes) -> bytes:
    """Return the objects with their closing braces and a separator between them."""
    return (b"}" + separator).join(objects) + b"}" if objects else b""


def tail_of(origin: ColumnOrigin, record_id: int, finish: str | None) -> bytes:
    """Return what follows a caption of this origin: the rest of its object but for the brace."""
    values = origin.of_caption(record_id, finish)
    return b", " + jsonlines.dumps({**values, "finish": finish})[1:-1]
