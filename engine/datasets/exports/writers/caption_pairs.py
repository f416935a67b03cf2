"""One {"image", "caption"} object a caption. Text is copied, not encoded again."""

from __future__ import annotations

from itertools import chain

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers.base import Plan, columns_of
from engine.utils import jsonlines


def entries(plan: Plan, part: ShardCaptions) -> list[list[bytes | None]]:
    """The objects by column, in the order of `plan.names`; None where there is no caption.

    Their closing braces are left to `joined`.
    """
    images = list(map(plan.mapped, part.images)) if plan.rewrites_paths else part.images
    encoded = jsonlines.dumps_lines(images).splitlines()
    heads = [b'{"image": ' + image + b', "caption": ' for image in encoded]
    columns = columns_of(plan, part)
    if not plan.provenance:
        return [
            [
                None if caption is None else head + caption
                for head, caption in zip(heads, column, strict=True)
            ]
            for column in columns
        ]
    finishes = [[None] * len(heads)] * plan.with_original + part.finishes
    return [
        [
            None if caption is None else head + caption + tail + jsonlines.dumps(finish)
            for head, caption, finish in zip(heads, column, ends, strict=True)
        ]
        for column, ends, tail in zip(columns, finishes, tails_of(plan), strict=True)
    ]


def by_image(plan: Plan, part: ShardCaptions) -> list[bytes]:
    """Per image the original caption, then the models."""
    return list(filter(None, chain.from_iterable(zip(*entries(plan, part), strict=True))))


def joined(objects: list[bytes], separator: bytes) -> bytes:
    return (b"}" + separator).join(objects) + b"}" if objects else b""


def tails_of(plan: Plan) -> list[bytes]:
    """What follows a caption of each column, up to its finish reason."""
    return [b", " + jsonlines.dumps(origin)[1:-1] + b', "finish": ' for origin in plan.origins]
