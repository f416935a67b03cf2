"""How far several jobs are, in whichever process each is done: eight bytes each in a file."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path


class Tally:
    """Goes to other processes without `told`, which hears of every sum in this one."""

    def __init__(self, path: Path, told: Callable[[int], None] = lambda total: None) -> None:
        self.path = path
        self.told = told

    def put(self, place: int, count: int) -> None:
        with self.path.open("r+b", buffering=0) as file:
            file.seek(8 * place)
            file.write(array("q", [count]).tobytes())
        self.tell()

    def tell(self) -> None:
        self.told(sum(array("q", self.path.read_bytes())))

    def __reduce__(self) -> tuple[type[Tally], tuple[Path]]:
        return Tally, (self.path,)
