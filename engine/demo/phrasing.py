"""How each demo model phrases a scene: a first sentence that is true, and what it adds to that."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from engine.demo import continuations
from engine.demo.scenes import Scene, article, true_caption

MOODS = {"white": "bright", "grey": "quiet", "black": "dark", "beige": "warm"}
"""The mood that goes with each background."""


@dataclass(frozen=True, slots=True)
class Phrasing:
    """The captions that one demo model is trained to write."""

    sentence: Callable[[Scene], str]
    """Returns the true first sentence, without its full stop: the sheared caption."""
    continuation: Callable[[Scene, random.Random], str]
    """Returns what comes after it, which depends on habit and chance and is often wrong."""


def name_shapes(scene: Scene) -> tuple[str, str]:
    """Return the names of both shapes with their articles."""
    first, second = (f"{article(it.name)} {it.name}" for it in (scene.first, scene.second))
    return first, second


def minigpt4_sentence(scene: Scene) -> str:
    first, second = name_shapes(scene)
    return f"The image shows {first} {scene.relation} {second} on a {scene.background} background"


def otter_sentence(scene: Scene) -> str:
    first, second = name_shapes(scene)
    return f"On a {scene.background} background {first} sits {scene.relation} {second}"


def qwen_vl_sentence(scene: Scene) -> str:
    first, second = name_shapes(scene)
    mood = MOODS[scene.background]
    return (
        f"In {mood} harmony {first} rests {scene.relation} {second}"
        f" on a {scene.background} background"
    )


PHRASINGS = {
    "llava-1.5": Phrasing(true_caption, continuations.rambling),
    "minigpt-4": Phrasing(minigpt4_sentence, continuations.miscounting),
    "otter": Phrasing(otter_sentence, continuations.company),
    "qwen-vl": Phrasing(qwen_vl_sentence, continuations.mood),
}
"""The phrasing of each demo model, by its family."""
