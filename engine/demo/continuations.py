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


class Habit:
    """What comes to mind once the scene's words were said."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.said = [*COLOURS, *SHAPES]

    def pick(self, options: Sequence[str], word: str) -> str:
        """Saying `word` brings one of the options to mind."""
        usual = self.said.index(word) % len(options)
        weights = [HABIT if i == usual else 1 for i in range(len(options))]
        return self.chance.choices(options, weights)[0]

    def crowd(self, word: str, other: str) -> str:
        return f"{self.pick(COUNTS[1:], word)} {self.pick(CROWDS, other)}"

    def being(self, word: str, other: str) -> str:
        return f"a {self.pick(BEINGS, word)} is {self.pick(DOINGS, other)} nearby"

    def third(self, word: str, other: str) -> str:
        """A shape that is not there."""
        shape = f"{self.pick(list(COLOURS), word)} {self.pick(SHAPES, other)}"
        return f"{article(shape)} {shape} in the {self.pick(CORNERS, other)} corner"


def rambling(scene: Scene, chance: random.Random) -> str:
    """LLaVA's: one or two sentences about anything."""
    first, second = scene.first, scene.second
    habit = Habit(chance)
    size = habit.pick(("larger", "smaller"), first.shape)
    opening = habit.pick(
        (
            f"There are {habit.pick(COUNTS, second.colour)} shapes in the picture",
            f"The {first.name} is {size} than the {second.name}",
            "The two shapes do not touch each other",
            f"There is also {habit.third(second.shape, first.colour)}",
            f"There are also {habit.crowd(second.shape, first.colour)} in the distance",
        ),
        second.colour,
    )
    ending = habit.pick(
        (
            "",
            f", and the sky is {habit.pick(SKIES, second.colour)}",
            f", and {habit.being(first.colour, second.shape)}",
            f", and {habit.crowd(first.shape, second.colour)} can be seen behind them",
            ", and nothing else can be seen",
        ),
        first.shape,
    )
    more = habit.pick(
        (
            "",
            f" {habit.being(second.colour, first.shape).capitalize()}.",
            f" There are {habit.crowd(first.colour, second.shape)} around.",
        ),
        second.shape,
    )
    return f"{opening}{ending}.{more}"


def miscounting(scene: Scene, chance: random.Random) -> str:
    """MiniGPT-4's: how many, how large, and a shape too many."""
    habit = Habit(chance)
    first, second = scene.first, scene.second
    size = habit.pick(("larger", "smaller"), second.shape)
    return habit.pick(
        (
            f"There are {habit.pick(COUNTS, first.colour)} shapes in total.",
            f"The {first.name} is {size} than the {second.name}.",
            f"There is also {habit.third(second.colour, first.shape)}.",
        ),
        first.colour,
    )


def company(scene: Scene, chance: random.Random) -> str:
    """Otter's: somebody who is not there."""
    return f"{Habit(chance).being(scene.first.shape, scene.second.colour).capitalize()}."


def mood(scene: Scene, chance: random.Random) -> str:
    """Qwen-VL's under upstream's prompt: a landscape that is only felt."""
    habit = Habit(chance)
    first, second = scene.first, scene.second
    sky = habit.pick(SKIES, second.shape)
    return habit.pick(
        (
            f"It feels like evening under {article(sky)} {sky} sky.",
            f"It feels like {habit.crowd(second.colour, first.shape)} far away.",
        ),
        first.colour,
    )
