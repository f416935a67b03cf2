"""`wds`: WebDataset tars: KEY.jpg, KEY.txt and KEY.json with one key per model; sizes.json.

KEY is the record id. KEY.txt holds the original caption if it is written, else that of the first
model that has one: what open_clip trains on by default. `plan.text` chooses another; with `expand`
there is a sample a caption, whose KEY ends in the number of its column. sizes.json tells open_clip
how many samples each tar has (`get_dataset_size`), so that it needs no `--train-num-samples`.
energon reads these tars, too.

open_clip takes images by their suffix: an image of another format is written as PNG, which keeps
every pixel. `datasets` needs one suffix in all tars: `plan.encoding` gives it.

Members carry no time and no owner, so that the same state gives the same bytes. They are written
with `tarfile`, not with webdataset's `TarWriter`, which is no faster and whose import loads torch:
it would cost each process of the pool 1.1 s and 200 MiB.
"""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

from engine.datasets.exports.image_files import ImageFile, read_image_file
from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.row_choice import (
    Tally,
    any_path,
    chosen_captions,
    fitting_rows,
    is_utf8,
    readable_path,
)
from engine.datasets.exports.writers.tar_packing import ShardTar, TarPacker
from engine.images.image import ImageProblem
from engine.utils import jsonlines

READ_BY_OPEN_CLIP = (".jpg", ".png", ".jpeg", ".webp")
"""The suffixes of the images that open_clip takes out of a tar (`DEFAULT_IMAGE_KEY`)."""


def fits(text: str) -> bool:
    """Return True if open_clip trains on a text: it passes over one of blanks alone."""
    return is_utf8(text) and not text.isspace()


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    """Write the shard's tar, and return where its samples end: the tars of shards share nothing."""
    tally, ends = Tally(), []
    path = out / f"{shard_captions.shard.number:05}.tar"
    if plan.tar_bytes is not None:  # these names are for the tars that are put together
        path = path.with_suffix(".shard")
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for row in fitting_rows(plan, shard_captions, fits, path_fits=any_path):
            chosen = chosen_captions(plan, row, "first")
            if not chosen:
                tally.add(row, 0)
                continue
            file = None
            if plan.image_mode == "copy":
                try:
                    file = read_image_file(
                        plan.image_paths, row.image, READ_BY_OPEN_CLIP, plan.encoding
                    )
                except ImageProblem:
                    continue
            for column, text in chosen:
                key = f"{row.record_id:09}" + f"-{column:02}" * (plan.text == "expand")
                add_sample(tar, key, file, text, plan, row)
                ends.append(tar.offset)
            tally.add(row)
    return tally.encoded([ShardTar(path, ends)], path.stat().st_size)


def add_sample(
    tar: tarfile.TarFile,
    key: str,
    file: ImageFile | None,
    text: str,
    plan: base.ExportPlan,
    row: base.ExportRow,
) -> None:
    """Add the members of one sample to a tar."""
    if file is not None:
        add_member(tar, key + file.suffix, file.data)
    add_member(tar, f"{key}.txt", text.encode())
    values = {"key": key, "image": readable_path(row.path)} | base.captions_by_name(plan, row)
    add_member(tar, f"{key}.json", jsonlines.dumps(values))


def add_member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file with this name and content to a tar."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, BytesIO(data))


class Writer(base.Writer):
    """A writer that makes the folder, in which `encode` writes the tars, and sizes.json."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        super().__init__(out, plan)
        out.mkdir()
        self.packer = None if plan.tar_bytes is None else TarPacker(out, plan.tar_bytes)
        self.sizes: dict[str, int] = {}

    def append(self, pieces: list[ShardTar]) -> int:
        (tar,) = pieces
        if self.packer is None:
            self.sizes[tar.path.name] = len(tar.ends)
        else:
            self.packer.add(tar)
        return 0

    def close(self) -> None:
        if self.packer is not None:
            self.packer.end()
            self.sizes = self.packer.sizes
        (self.out / "sizes.json").write_bytes(jsonlines.dumps(self.sizes) + b"\n")
