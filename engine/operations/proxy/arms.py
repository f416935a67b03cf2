"""The arms of a proxy: the trainings that are compared, and the captions that each one gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.datasets.exports.writers.base import ORIGINAL
from engine.utils.errors import BadInput

JOINT = "joint"
"""The arm with the original caption and the sheared one of each model."""
RAW = "raw"
"""The arm with the original caption and the raw one of each model."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One training."""

    name: str
    columns: tuple[str, ...]
    """Whose captions an image has: `original`, or the name of a model."""
    raw: bool = False
    """True if the captions of the models are taken before shearing."""


def parse_arms(names: Sequence[str], models: Sequence[str]) -> list[Arm]:
    """Return the arms with these names: original, joint, raw, or a model for its captions alone.

    Raises `BadInput`.
    """
    if taken := sorted({ORIGINAL, JOINT, RAW}.intersection(models)):
        raise BadInput(
            f"the model {taken[0]!r} has the name of an arm: choose other models with --model"
        )
    known = {
        ORIGINAL: Arm(ORIGINAL, (ORIGINAL,)),
        JOINT: Arm(JOINT, (ORIGINAL, *models)),
        RAW: Arm(RAW, (ORIGINAL, *models), raw=True),
        **{name: Arm(name, (name,)) for name in models},
    }
    if not names:
        raise BadInput("--arms is empty: name at least one arm")
    for number, name in enumerate(names):
        if name not in known:
            raise BadInput(f"there is no arm {name!r}: one of {', '.join(known)}")
        if name in names[:number]:
            raise BadInput(f"the arm {name} is named twice")
    return [known[name] for name in names]


def columns_of(arms: Sequence[Arm]) -> list[str]:
    """Return whose captions the arms need, each once, in the order in which they come."""
    return list(dict.fromkeys(column for arm in arms for column in arm.columns))
