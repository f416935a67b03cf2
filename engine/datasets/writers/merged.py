"""`json`: one array of {"image", "caption"} in input order, which upstream trains on."""

from __future__ import annotations

from pathlib import Path

from engine.datasets.columns import ShardCaptions
from engine.datasets.writers.base import Plan
from engine.datasets.writers.pairs import PairWriter


class JsonArray:
    """A JSON array that grows by encoded values."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")
        self.empty = True

    def add(self, values: list[bytes]) -> int:
        """Returns the bytes written."""
        if not values:
            return 0
        written = self.file.write(b"[\n" if self.empty else b",\n")
        self.empty = False
        return written + self.file.write(b",\n".join(values))

    def close(self) -> None:
        self.file.write(b"[]\n" if self.empty else b"\n]\n")
        self.file.close()


class Writer(PairWriter):
    def __init__(self, out: Path, plan: Plan) -> None:
        super().__init__(out, plan)
        self.array = JsonArray(out)

    def write(self, part: ShardCaptions) -> int:
        entries = self.by_image(part)
        self.bytes += self.array.add(entries)
        return len(entries)

    def close(self) -> None:
        self.array.close()
