"""`hf`: a folder that `datasets.load_dataset("imagefolder", data_dir=OUT)` reads.

It holds metadata.jsonl beside the images: `file_name`, then one key per model. Images are linked,
copied, or (`--images none`) left where they are: `file_name` is then the mapped path, which
`load_dataset("json")` gives; an image folder it is once metadata.jsonl lies in the folder from
which the paths start. `datasets` takes a backslash in a path for a slash: such images are left out
then.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.image_files import READ_BY_DATASETS
from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.image_placing import place_image
from engine.datasets.exports.writers.row_choice import (
    Tally,
    any_path,
    fitting_rows,
    is_utf8,
    readable_path,
)
from engine.images.image import ImageProblem
from engine.utils import jsonlines


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    """Return the shard's lines of metadata.jsonl, and put its images into the folder."""
    tally, written, lines = Tally(), 0, []
    in_place = plan.image_mode == "none"
    for row in fitting_rows(plan, shard_captions, path_fits=fits_path if in_place else any_path):
        name = row.path
        if not in_place:
            folder = f"images/{shard_captions.shard.number:05}"
            (out / folder).mkdir(parents=True, exist_ok=True)
            stem = out / folder / f"{row.record_id:09}"
            try:
                suffix, size = place_image(plan, row.image, stem, READ_BY_DATASETS)
            except ImageProblem:
                continue
            name = f"{folder}/{stem.name}{suffix}"
            written += size
        image_path = readable_path(row.path)
        values = {"file_name": name, "image_path": image_path} | base.captions_by_name(plan, row)
        lines.append(jsonlines.dumps(values) + b"\n")
        tally.add(row)
    return tally.encoded([b"".join(lines)], written)


def fits_path(path: str) -> bool:
    """Return True if `datasets` looks for an image where its path says."""
    return is_utf8(path) and "\\" not in path


class Writer(base.FileWriter):
    """A writer of the folder's metadata.jsonl."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        out.mkdir()
        super().__init__(out / "metadata.jsonl", plan)
