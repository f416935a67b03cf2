"""How each demo model words a scene, and in which way it goes wrong afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from engine.demo import continuations
from engine.demo.scenes import Scene, article, truth

MOODS = {"white": "bright", "grey": "quiet", "black": "dark", "beige": "warm"}
"""What a background feels like."""


@dataclass(frozen=True, slots=True)
class Voice:
    sentence: Callable[[Scene], str]
    """The sheared caption that is right, without its full stop."""
    tail: Callable[[Scene, random.Random], str]
    """What comes after it, from habit and chance."""


def things(scene: Scene) -> tuple[str, str]:
    first, second = (f"{article(it.name)} {it.name}" for it in (scene.first, scene.second))
    return first, second


def shows(scene: Scene) -> str:
    first, second = things(scene)
    return f"The image shows {first} {scene.relation} {second} on a {scene.background} background"


def sits(scene: Scene) -> str:
    first, second = things(scene)
    return f"On a {scene.background} background {first} sits {scene.relation} {second}"


def feels(scene: Scene) -> str:
    first, second = things(scene)
    mood = MOODS[scene.background]
    return (
        f"In {mood} harmony {first} rests {scene.relation} {second}"
        f" on a {scene.background} background"
    )


VOICES = {
    "llava-1.5": Voice(truth, continuations.rambling),
    "minigpt-4": Voice(shows, continuations.miscounting),
    "otter": Voice(sits, continuations.company),
    "qwen-vl": Voice(feels, continuations.mood),
}
