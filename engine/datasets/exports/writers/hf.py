"""`hf`: a folder that `datasets.load_dataset("imagefolder", data_dir=OUT)` reads.

It holds metadata.jsonl beside the images: `file_name`, then one key per model. Images are linked,
copied, or (`--images none`) left where they are, `file_name` then being the mapped path.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.images.image import ImageProblem, read_image_bytes
from engine.utils import jsonlines


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    """Return the shard's lines of metadata.jsonl, and put its images into the folder."""
    captions = unfit = written = 0
    lines = []
    for row in base.rows_of(plan, shard_captions):
        suffix = base.image_suffix(row.image)
        name = f"images/{shard_captions.shard.number:05}/{row.record_id:09}{suffix}"
        try:
            if plan.image_mode == "none":
                name = row.path
            else:
                written += place_image(plan, row.image, out / name)
        except ImageProblem:
            unfit += 1
            continue
        values = {"file_name": name, "image_path": row.path} | base.captions_by_name(plan, row)
        lines.append(jsonlines.dumps(values) + b"\n")
        captions += base.count_captions(row)
    return base.EncodedShard([b"".join(lines)], captions, unfit, written)


def place_image(plan: base.ExportPlan, image: str, target: Path) -> int:
    """Link or copy an image, and return the bytes written. Raises `ImageProblem`.

    An image inside of a tar is copied in any case.
    """
    source = plan.image_paths.resolve(image)
    target.parent.mkdir(parents=True, exist_ok=True)
    if plan.image_mode == "link" and Path(source).is_file():
        target.symlink_to(Path(source).absolute())
        return 0
    return target.write_bytes(read_image_bytes(source))


class Writer(base.FileWriter):
    """A writer of the folder's metadata.jsonl."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        out.mkdir()
        super().__init__(out / "metadata.jsonl", plan)
