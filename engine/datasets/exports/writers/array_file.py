"""JSON arrays that grow shard by shard, for the formats that are arrays."""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.writers import base


class ArrayFile:
    """A file with one JSON array, to which values with commas between them are appended."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")
        self.empty = True

    def append(self, values: bytes) -> int:
        """Write some values, and return the number of bytes written."""
        if not values:
            return 0
        written = self.file.write(b"[\n" if self.empty else b",\n")
        self.empty = False
        return written + self.file.write(values)

    def close(self) -> None:
        """End the array."""
        self.file.write(b"[]\n" if self.empty else b"\n]\n")
        self.file.close()


class ArrayWriter(base.Writer):
    """A writer of one file that is a JSON array."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        super().__init__(out, plan)
        self.array = ArrayFile(out)

    def append(self, pieces: list[bytes]) -> int:
        return sum(map(self.array.append, pieces))

    def close(self) -> None:
        self.array.close()
