"""Damage to the files of a project: what was found, and the error that tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine.utils.errors import BadInput

NAMED_FILES = 3
"""Damaged files that an error names, so that it stays readable."""


class Damage(NamedTuple):
    """A file that is not as the project recorded it."""

    path: Path
    text: str
    """What is wrong with the file, as it follows its path in a sentence."""
    advice: str
    """What makes it good, once the tracker knows of it."""
    shard: int | None = None
    """The number of the shard that it belongs to; None for a file of the whole project."""
    model_id: int | None = None
    """The model whose captions it holds; None for a file that belongs to no model."""

    def __str__(self) -> str:
        return f"{self.path} {self.text}"


class DamagedFiles(BadInput):
    """Raised by what reads captions, once it has read all, if files are damaged."""

    def __init__(self, damage: Sequence[Damage]) -> None:
        super().__init__(damage)
        self.damage = tuple(damage)

    def __str__(self) -> str:
        sentences = [str(each) for each in self.damage[:NAMED_FILES]]
        more = len(self.damage) - len(sentences)
        if more:
            are = "file is" if more == 1 else "files are"
            sentences.append(f"{more:,} more {are} damaged ('mllmaug-tui verify' names them)")
        return "; ".join(sentences)
