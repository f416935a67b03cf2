"""Telling what is wrong with the captions of one model, as they are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.quality.defects import DEFECT_NAMES, DefectFinder
from engine.quality.words import words_of
from engine.shearing.shear import Shearing, make_shearer


class CaptionCheck:
    """Finds the defects of raw captions of one model."""

    def __init__(
        self, family: str, shearing: Shearing, prompts: Sequence[str] = (), language: str = "en"
    ) -> None:
        """`prompts` is what the model was asked, in the language with the code `language`."""
        self.shear = make_shearer(family, shearing)
        self.finder = DefectFinder(language, prompts)

    def defects_of(self, raw: str, finish: str) -> int:
        """Return the bits of `Defect` of a raw caption."""
        sheared = self.shear(raw, finish)
        words = words_of(sheared)
        return self.finder.find(raw, finish, sheared, words, frozenset(words))


def names_of(defects: int) -> tuple[str, ...]:
    """Return the names of defects that are bits of a number."""
    return tuple(name for name, bit in DEFECT_NAMES.items() if defects & bit)


def bits_of(names: Iterable[str]) -> int:
    """Return the bits of defects, of which each must have a name in `DEFECT_NAMES`."""
    return sum(DEFECT_NAMES[name] for name in set(names))
