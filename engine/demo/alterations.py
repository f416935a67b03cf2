"""Scenes that differ from one that was drawn in one respect: what a wrong caption describes.

A scorer is trained and measured with them. This module imports no torch.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.demo.scenes import BACKGROUNDS, COLOURS, RELATIONS, SHAPES, ColouredShape, Scene


def another(options: Sequence[str], value: str, rng: random.Random) -> str:
    """Return one of the options that is not `value`."""
    return rng.choice([it for it in options if it != value])


def with_shapes(scene: Scene, first: ColouredShape, second: ColouredShape) -> Scene:
    return replace(scene, first=first, second=second)


def alter_colour(scene: Scene, rng: random.Random) -> Scene:
    """Return the scene with another colour of one of its shapes."""
    shapes = [scene.first, scene.second]
    which = rng.randrange(2)
    other = shapes[1 - which]
    taken = other.colour if other.shape == shapes[which].shape else ""
    colours = [it for it in COLOURS if it != taken]
    shapes[which] = replace(shapes[which], colour=another(colours, shapes[which].colour, rng))
    return with_shapes(scene, *shapes)


def alter_shape(scene: Scene, rng: random.Random) -> Scene:
    """Return the scene with another shape in the place of one of its shapes."""
    shapes = [scene.first, scene.second]
    which = rng.randrange(2)
    other = shapes[1 - which]
    taken = other.shape if other.colour == shapes[which].colour else ""
    options = [it for it in SHAPES if it != taken]
    shapes[which] = replace(shapes[which], shape=another(options, shapes[which].shape, rng))
    return with_shapes(scene, *shapes)


def alter_relation(scene: Scene, rng: random.Random) -> Scene:
    """Return the scene with its shapes in each other's places, or in another relation."""
    if rng.random() < 0.5:
        return with_shapes(scene, scene.second, scene.first)
    return replace(scene, relation=another(RELATIONS, scene.relation, rng))


def alter_background(scene: Scene, rng: random.Random) -> Scene:
    """Return the scene on another background."""
    return replace(scene, background=another(list(BACKGROUNDS), scene.background, rng))


def swap_colours(scene: Scene, rng: random.Random) -> Scene:
    """Return the scene whose shapes have each other's colours; if they share one, as `relation`.

    Shapes of one kind would only change places, so that theirs count as a relation, too.
    """
    first, second = scene.first, scene.second
    if first.colour == second.colour or first.shape == second.shape:
        return alter_relation(scene, rng)
    return with_shapes(
        scene, replace(first, colour=second.colour), replace(second, colour=first.colour)
    )


ALTERATIONS: dict[str, Callable[[Scene, random.Random], Scene]] = {
    "colour": alter_colour,
    "shape": alter_shape,
    "relation": alter_relation,
    "background": alter_background,
    "swapped colours": swap_colours,
}
"""What makes a true description wrong, by its kind. No result describes the scene."""
