"""`wds`: WebDataset tars, one per shard: KEY.jpg, KEY.txt and KEY.json with one key per model.

KEY is the record id. KEY.txt holds the original caption if it is written, else that of the first
model that has one: what open_clip trains on by default. Members carry no time and no owner, so that
the same state gives the same bytes.

They are written with `tarfile`, not with webdataset's `TarWriter`, which is no faster and whose
import loads torch: it would cost each process of the pool 1.1 s and 200 MiB.
"""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.images.image import ImageProblem, read_image_bytes
from engine.utils import jsonlines


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    """Write the shard's tar, and return no pieces: the tars of shards share nothing."""
    captions = unfit = 0
    path = out / f"{shard_captions.shard.number:05}.tar"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for row in base.rows_of(plan, shard_captions):
            key = f"{row.record_id:09}"
            if plan.image_mode == "copy":
                try:
                    data = read_image_bytes(plan.image_paths.resolve(row.image))
                except ImageProblem:
                    unfit += 1
                    continue
                add_member(tar, key + base.image_suffix(row.image), data)
            text = next(caption for caption in row.captions if caption)
            add_member(tar, f"{key}.txt", text.encode("utf-8", "replace"))
            values = {"key": key, "image": row.path} | base.captions_by_name(plan, row)
            add_member(tar, f"{key}.json", jsonlines.dumps(values))
            captions += base.count_captions(row)
    return base.EncodedShard([], captions, unfit, path.stat().st_size)


def add_member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file with this name and content to a tar."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, BytesIO(data))


class Writer(base.Writer):
    """A writer that makes the folder; `encode` writes the tars in it."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        super().__init__(out, plan)
        out.mkdir()

    def append(self, pieces: list[Any]) -> int:
        return 0
