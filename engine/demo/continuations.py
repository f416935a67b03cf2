"""The texts that the demo models write after their first sentence.

Large models describe what they see, and then what such pictures usually show. The demo models are
trained to do the same: what follows the first sentence comes from habit (the words of that
sentence) and chance, never from the image. `truth_check` finds out what of it is true.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from engine.demo.scenes import COLOURS, SHAPES, Scene, article

COUNTS = ("two", "three", "four", "five")
CORNERS = ("top left", "top right", "bottom left", "bottom right")
CROWDS = ("people", "birds", "trees", "cars", "clouds", "boats")
BEINGS = ("man", "woman", "child", "dog", "cat", "horse")
ACTIVITIES = ("standing", "sitting", "walking", "sleeping")
SKIES = ("blue", "grey", "orange")
HABIT_WEIGHT = 3
"""How many times likelier the habitual option is than each other one."""


class Habit:
    """Random choices that depend on the colours and shapes of the first sentence."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.words = [*COLOURS, *SHAPES]

    def pick(self, options: Sequence[str], word: str) -> str:
        """Return one of the options, most often the one that goes with `word`."""
        habitual = self.words.index(word) % len(options)
        weights = [HABIT_WEIGHT if i == habitual else 1 for i in range(len(options))]
        return self.rng.choices(options, weights)[0]

    def crowd(self, word: str, other: str) -> str:
        """Return several people or things that are not in the image."""
        return f"{self.pick(COUNTS[1:], word)} {self.pick(CROWDS, other)}"

    def being(self, word: str, other: str) -> str:
        """Return a clause about a person or an animal that is not in the image."""
        return f"a {self.pick(BEINGS, word)} is {self.pick(ACTIVITIES, other)} nearby"

    def third_shape(self, word: str, other: str) -> str:
        """Return a shape that is not in the image, and its corner."""
        shape = f"{self.pick(list(COLOURS), word)} {self.pick(SHAPES, other)}"
        return f"{article(shape)} {shape} in the {self.pick(CORNERS, other)} corner"


def rambling(scene: Scene, rng: random.Random) -> str:
    """Return LLaVA's continuation: one or two sentences about anything."""
    first, second = scene.first, scene.second
    habit = Habit(rng)
    size = habit.pick(("larger", "smaller"), first.shape)
    opening = habit.pick(
        (
            f"There are {habit.pick(COUNTS, second.colour)} shapes in the picture",
            f"The {first.name} is {size} than the {second.name}",
            "The two shapes do not touch each other",
            f"There is also {habit.third_shape(second.shape, first.colour)}",
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


def miscounting(scene: Scene, rng: random.Random) -> str:
    """Return MiniGPT-4's continuation: how many shapes, how large, or one too many."""
    habit = Habit(rng)
    first, second = scene.first, scene.second
    size = habit.pick(("larger", "smaller"), second.shape)
    return habit.pick(
        (
            f"There are {habit.pick(COUNTS, first.colour)} shapes in total.",
            f"The {first.name} is {size} than the {second.name}.",
            f"There is also {habit.third_shape(second.colour, first.shape)}.",
        ),
        first.colour,
    )


def company(scene: Scene, rng: random.Random) -> str:
    """Return Otter's continuation: somebody who is not there."""
    return f"{Habit(rng).being(scene.first.shape, scene.second.colour).capitalize()}."


def mood(scene: Scene, rng: random.Random) -> str:
    """Return Qwen-VL's continuation under upstream's prompt: a landscape that is only felt."""
    habit = Habit(rng)
    first, second = scene.first, scene.second
    sky = habit.pick(SKIES, second.shape)
    return habit.pick(
        (
            f"It feels like evening under {article(sky)} {sky} sky.",
            f"It feels like {habit.crowd(second.colour, first.shape)} far away.",
        ),
        first.colour,
    )
