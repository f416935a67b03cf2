"""`wds`: WebDataset tars, one a shard: KEY.jpg, KEY.txt and KEY.json with a key a model.

KEY is the record's place in the input. KEY.txt holds the original caption if it is wanted, else
the first model's that has one: what open_clip trains on by default. Members carry no time and no
owner, so that the same state gives the same bytes.
"""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.images.image import ImageProblem, read_file
from engine.utils import jsonlines


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    """Writes the shard's tar: shards share nothing."""
    captions = unfit = 0
    path = out / f"{part.shard.number:05}.tar"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for row in base.rows_of(plan, part):
            key = f"{row.place:09}"
            if plan.images == "copy":
                try:
                    data = read_file(plan.paths.resolve(row.image))
                except ImageProblem:
                    unfit += 1
                    continue
                add(tar, key + suffix(row.image), data)
            text = next(caption for caption in row.captions if caption)
            add(tar, f"{key}.txt", text.encode("utf-8", "replace"))
            values = {"key": key, "image": row.path} | base.named(plan, row)
            add(tar, f"{key}.json", jsonlines.dumps(values))
            captions += base.captions_in(row)
    return base.Encoded([], captions, unfit, path.stat().st_size)


def suffix(image: str) -> str:
    """In lower case, as readers look for it."""
    return PurePosixPath(image).suffix.lower() or ".jpg"


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, BytesIO(data))


class Writer(base.Writer):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        out.mkdir()

    def append(self, pieces: list[Any]) -> int:
        return 0
