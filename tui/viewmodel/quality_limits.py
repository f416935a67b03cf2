"""How many captions with a defect are too many."""

from __future__ import annotations

from typing import Literal, NamedTuple

Verdict = Literal["none", "-", "few", "many", "too many"]
"""How many of a model's captions have a defect; `-` where no number is too many."""


class Limits(NamedTuple):
    """Shares of a model's captions above which a defect is frequent."""

    many: float
    too_many: float


LIMITS = {
    "loops": Limits(0.01, 0.05),
    "duplicates": Limits(0.1, 0.3),
    "empty": Limits(0.01, 0.05),
    "refusals": Limits(0.01, 0.05),
    "leaks": Limits(0.01, 0.05),
    "lead_ins": Limits(0.1, 0.5),
    "other_script": Limits(0.01, 0.05),
}
"""By the name of a defect. Of the others no number is too many: shearing mends them, or they depend
on what is in the images."""


def verdict_of(name: str, count: int, captions: int) -> Verdict:
    """Return whether `count` of so many captions with a defect are too many."""
    if not count:
        return "none"
    limits = LIMITS.get(name)
    if limits is None:
        return "-"
    if count > limits.too_many * captions:
        return "too many"
    return "many" if count > limits.many * captions else "few"
