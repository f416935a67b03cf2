"""`hf`: a folder that `datasets.load_dataset("imagefolder", data_dir=OUT)` reads.

metadata.jsonl beside the images: `file_name`, then a key a model. Images are linked, copied, or
(`--images none`) left where they are, `file_name` then being the mapped path.
"""

from __future__ import annotations

from pathlib import Path

from engine import jsonlines
from engine.datasets.columns import ShardCaptions
from engine.datasets.writers import base
from engine.datasets.writers.wds import suffix
from engine.images import ImageProblem, read_file


class Writer(base.Writer):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        out.mkdir()
        self.file = (out / "metadata.jsonl").open("wb")

    def write(self, part: ShardCaptions) -> int:
        captions, lines = 0, []
        for row in self.rows(part):
            name = f"images/{part.shard.number:05}/{row.place:09}{suffix(row.image)}"
            try:
                name = self.place(row, name)
            except ImageProblem:
                self.unfit += 1
                continue
            values = {"file_name": name, "image_path": row.path} | self.named(row)
            lines.append(jsonlines.dumps(values) + b"\n")
            captions += base.captions_in(row)
        self.bytes += self.file.write(b"".join(lines))
        return captions

    def place(self, row: base.Row, name: str) -> str:
        """Raises `ImageProblem`."""
        if self.plan.images == "none":
            return row.path
        source = self.plan.paths.resolve(row.image)
        target = self.out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.plan.images == "link" and Path(source).is_file():
            target.symlink_to(Path(source).absolute())
        else:
            data = read_file(source)
            target.write_bytes(data)
            self.bytes += len(data)
        return name

    def close(self) -> None:
        self.file.close()
