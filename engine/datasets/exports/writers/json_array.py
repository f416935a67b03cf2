"""`json`: one array of {"image", "caption"} in input order, which upstream trains on."""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base, caption_pairs


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    found = caption_pairs.by_image(plan, part)
    return base.Encoded([caption_pairs.joined(found, b",\n")], len(found))


class JsonArray:
    """A JSON array that grows by values with commas between them."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")
        self.empty = True

    def add(self, values: bytes) -> int:
        """Returns the bytes written."""
        if not values:
            return 0
        written = self.file.write(b"[\n" if self.empty else b",\n")
        self.empty = False
        return written + self.file.write(values)

    def close(self) -> None:
        self.file.write(b"[]\n" if self.empty else b"\n]\n")
        self.file.close()


class Writer(base.Writer):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        self.array = JsonArray(out)

    def append(self, pieces: list[bytes]) -> int:
        return sum(map(self.array.add, pieces))

    def close(self) -> None:
        self.array.close()
