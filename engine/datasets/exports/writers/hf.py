"""`hf`: a folder that `datasets.load_dataset("imagefolder", data_dir=OUT)` reads.

metadata.jsonl beside the images: `file_name`, then a key a model. Images are linked, copied, or
(`--images none`) left where they are, `file_name` then being the mapped path.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.wds import suffix
from engine.images.image import ImageProblem, read_file
from engine.utils import jsonlines


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    """Puts the shard's images in place."""
    captions = unfit = written = 0
    lines = []
    for row in base.rows_of(plan, part):
        name = f"images/{part.shard.number:05}/{row.place:09}{suffix(row.image)}"
        try:
            if plan.images == "none":
                name = row.path
            else:
                written += put(plan, row.image, out / name)
        except ImageProblem:
            unfit += 1
            continue
        values = {"file_name": name, "image_path": row.path} | base.named(plan, row)
        lines.append(jsonlines.dumps(values) + b"\n")
        captions += base.captions_in(row)
    return base.Encoded([b"".join(lines)], captions, unfit, written)


def put(plan: base.Plan, image: str, target: Path) -> int:
    """Links or copies an image; returns the bytes written. Raises `ImageProblem`."""
    source = plan.paths.resolve(image)
    target.parent.mkdir(parents=True, exist_ok=True)
    if plan.images == "link" and Path(source).is_file():
        target.symlink_to(Path(source).absolute())
        return 0
    return target.write_bytes(read_file(source))


class Writer(base.FileWriter):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        out.mkdir()
        super().__init__(out / "metadata.jsonl", plan)
