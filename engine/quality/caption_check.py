"""Telling what is wrong with the captions of one model, as they are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.quality.alarms import DUPLICATES, LIMITS
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
        """Return the bits of `Defect` of a raw caption, without those that shearing cuts."""
        return self.defects_of_sheared(raw, finish, self.shear(raw, finish))

    def defects_of_sheared(self, raw: str, finish: str, sheared: str) -> int:
        """Return the same of a raw caption that was sheared already.

        Leaks and lead-ins count if the sheared text holds them, too.
        """
        words = words_of(sheared)
        defects = self.finder.find(raw, finish, sheared, words, frozenset(words))
        return defects & ~self.finder.cut_by_shearing(defects, sheared)


class SeriesCheck:
    """Names the defects of captions that are judged together, duplicates among them included."""

    def __init__(self, check: CaptionCheck) -> None:
        self.check = check
        self.seen: set[int] = set()
        """Hashes of the sheared texts so far, so that no text is held."""

    def names_of(self, raw: str, finish: str) -> tuple[str, ...]:
        """Return the names of the defects of the next caption of the series.

        A caption with a defect that may stop a model is no duplicate.
        """
        sheared = self.check.shear(raw, finish)
        names = names_of(self.check.defects_of_sheared(raw, finish, sheared))
        if not sheared or any(LIMITS[name].stop is not None for name in names):
            return names  # a model that says one refusal again and again gets one alarm
        before = len(self.seen)
        self.seen.add(hash(sheared))
        return names if len(self.seen) > before else (*names, DUPLICATES)


def names_of(defects: int) -> tuple[str, ...]:
    """Return the names of defects that are bits of a number."""
    return tuple(name for name, bit in DEFECT_NAMES.items() if defects & bit)


def bits_of(names: Iterable[str]) -> int:
    """Return the bits of defects, of which each must have a name in `DEFECT_NAMES`."""
    return sum(DEFECT_NAMES[name] for name in set(names))
