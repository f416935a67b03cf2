"""How the demo models go on after their first sentence.

Large models describe what they see and then what such pictures usually show. The demo models are
trained to do the same: what follows the first sentence comes from habit (which words were said)
and chance, never from the image. `judge.py` tells what of it holds.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from engine.demo.scenes import COLOURS, SHAPES, Scene, article

COUNTS = ("two", "three", "four", "five")
CORNERS = ("top left", "top right", "bottom left", "bottom right")
CROWDS = ("people", "birds", "trees", "cars", "clouds", "boats")
BEINGS = ("man", "woman", "child", "dog", "cat", "horse")
DOINGS = ("standing", "sitting", "walking", "sleeping")
SKIES = ("blue", "grey", "orange")
HABIT = 3
"""How much likelier the word of habit is than another one."""


def tail(scene: Scene, chance: random.Random) -> str:
    """One or two sentences after the first one."""
    first, second = scene.first, scene.second
    said = [*COLOURS, *SHAPES]

    def pick(options: Sequence[str], word: str) -> str:
        """Saying `word` brings one of the options to mind."""
        usual = said.index(word) % len(options)
        return chance.choices(options, [HABIT if i == usual else 1 for i in range(len(options))])[0]

    def crowd(word: str, other: str) -> str:
        return f"{pick(COUNTS[1:], word)} {pick(CROWDS, other)}"

    def being(word: str, other: str) -> str:
        return f"a {pick(BEINGS, word)} is {pick(DOINGS, other)} nearby"

    shape = f"{pick(list(COLOURS), second.shape)} {pick(SHAPES, first.colour)}"
    size = pick(("larger", "smaller"), first.shape)
    opening = pick(
        (
            f"There are {pick(COUNTS, second.colour)} shapes in the picture",
            f"The {first.name} is {size} than the {second.name}",
            "The two shapes do not touch each other",
            f"There is also {article(shape)} {shape} in the {pick(CORNERS, first.shape)} corner",
            f"There are also {crowd(second.shape, first.colour)} in the distance",
        ),
        second.colour,
    )
    ending = pick(
        (
            "",
            f", and the sky is {pick(SKIES, second.colour)}",
            f", and {being(first.colour, second.shape)}",
            f", and {crowd(first.shape, second.colour)} can be seen behind them",
            ", and nothing else can be seen",
        ),
        first.shape,
    )
    more = pick(
        (
            "",
            f" {being(second.colour, first.shape).capitalize()}.",
            f" There are {crowd(first.colour, second.shape)} around.",
        ),
        second.shape,
    )
    return f"{opening}{ending}.{more}"
