"""Drawn scenes of which the truth is known: two coloured shapes, how they lie, a background.

Scene `index` of a seed is always the same, whatever was drawn before it. This module imports no
torch.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

Rgb = tuple[int, int, int]
"""Red, green and blue, each from 0 to 255."""
Point = tuple[float, float]

COLOURS: dict[str, Rgb] = {
    "red": (214, 38, 40),
    "orange": (247, 140, 22),
    "yellow": (242, 218, 44),
    "green": (42, 152, 72),
    "blue": (44, 92, 204),
    "purple": (132, 58, 166),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
RELATIONS = ("above", "to the left of")
BACKGROUNDS: dict[str, Rgb] = {
    "white": (244, 244, 244),
    "grey": (150, 150, 150),
    "black": (26, 26, 26),
    "beige": (224, 202, 168),
}

SIZE = (240, 192)
"""Width and height of an image in pixels; both shapes lie in the square in its centre."""
SCENES_FILE = "scenes.jsonl"
"""What is known of the scenes of a data set, in its folder."""
WRONG_ALT_TEXT_SHARE = 0.15
"""Share of the original captions that name a shape that is not in the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColouredShape:
    """One shape.

    The unit of lengths is the side of the square in the centre of the image. Its top left corner is
    (0, 0).
    """

    colour: str
    shape: str
    x: float
    y: float
    """Position of the middle; `y` grows downwards."""
    radius: float
    angle: float
    """Rotation in degrees."""
    rgb: Rgb
    """The colour that is drawn: a shade of `colour`."""

    @property
    def name(self) -> str:
        """Colour and shape, such as `red circle`."""
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Two different shapes that do not touch; `first` lies above or to the left of `second`."""

    seed: int
    index: int
    first: ColouredShape
    second: ColouredShape
    relation: str
    """How `first` lies to `second`: one of `RELATIONS`."""
    background: str
    """The name of the background's colour."""
    rgb: Rgb
    """The background as it is drawn: a shade of its colour."""


def make_scene(seed: int, index: int) -> Scene:
    """Return scene `index` of a seed."""
    # The seed is a string, since Random hashes strings alike on every machine and version.
    rng = random.Random(f"scene {seed} {index}")  # noqa: S311
    relation = rng.choice(RELATIONS)
    background = rng.choice(list(BACKGROUNDS))
    names = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    first, second = rng.sample(names, 2)
    return Scene(
        seed=seed,
        index=index,
        first=place_shape(first, relation, -1, rng),
        second=place_shape(second, relation, 1, rng),
        relation=relation,
        background=background,
        rgb=vary(BACKGROUNDS[background], rng),
    )


def place_shape(
    name: tuple[str, str], relation: str, side: int, rng: random.Random
) -> ColouredShape:
    """Place a shape, (colour, shape), somewhere in its half, so that the relation is obvious.

    `side` is -1 for the upper or left half and 1 for the other one.
    """
    radius = rng.uniform(0.13, 0.21)
    along = 0.5 + side * rng.uniform(radius + 0.02, 0.47 - radius)
    across = rng.uniform(0.4, 0.6)
    x, y = (across, along) if relation == "above" else (along, across)
    colour, shape = name
    angle = rng.uniform(-15, 15)
    return ColouredShape(
        colour=colour,
        shape=shape,
        x=x,
        y=y,
        radius=radius,
        angle=angle,
        rgb=vary(COLOURS[colour], rng),
    )


def vary(rgb: Rgb, rng: random.Random) -> Rgb:
    """Return a slightly different shade of a colour."""
    red, green, blue = (min(255, max(0, part + rng.randint(-10, 10))) for part in rgb)
    return red, green, blue


def draw_scene(scene: Scene, size: tuple[int, int] = SIZE) -> Image.Image:
    """Return the RGB image of a scene; `size` is (width, height) in pixels."""
    # Pillow's polygons have hard edges: they are drawn at twice the size and averaged.
    width, height = 2 * size[0], 2 * size[1]
    side = min(width, height)
    corner = ((width - side) / 2, (height - side) / 2)
    image = Image.new("RGB", (width, height), scene.rgb)
    pen = ImageDraw.Draw(image)
    for shape in (scene.first, scene.second):
        middle = (corner[0] + shape.x * side, corner[1] + shape.y * side)
        pen.polygon(
            [
                (middle[0] + x * shape.radius * side, middle[1] + y * shape.radius * side)
                for x, y in rotate(OUTLINES[shape.shape], shape.angle)
            ],
            fill=shape.rgb,
        )
    return image.reduce(2)


def rotate(outline: list[Point], degrees: float) -> list[Point]:
    """Rotate an outline around the origin."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in outline]


def polygon(corners: int, *radii: float, start: float = -90) -> list[Point]:
    """Return a polygon around the origin, whose corners lie on circles of these radii in turn.

    The first corner is at `start` degrees; -90 is the top.
    """
    angles = (math.radians(start + 360 * corner / corners) for corner in range(corners))
    return [
        (radii[corner % len(radii)] * math.cos(angle), radii[corner % len(radii)] * math.sin(angle))
        for corner, angle in enumerate(angles)
    ]


ARM = 0.3
"""Half the width of the cross's arms."""
OUTLINES: dict[str, list[Point]] = {
    "circle": polygon(72, 0.9),
    "square": polygon(4, 1.0, start=-45),
    "triangle": polygon(3, 1.0),
    "star": polygon(10, 1.0, 0.42),
    "cross": [
        (x * sx, y * sy)
        for sx, sy, order in ((1, -1, 1), (1, 1, -1), (-1, 1, 1), (-1, -1, -1))
        for x, y in ((ARM, 0.95), (ARM, ARM), (0.95, ARM))[::order]
    ],
}
"""The outline of each shape, within the unit circle around the origin; y grows downwards."""


def article(word: str) -> str:
    """Return the indefinite article for a word."""
    return "an" if word[0] in "aeiou" else "a"


def true_caption(scene: Scene) -> str:
    """Return a sentence that is true of the scene, without its full stop."""
    first, second = (f"{article(it.name)} {it.name}" for it in (scene.first, scene.second))
    text = f"{first} is {scene.relation} {second} on a {scene.background} background"
    return text[0].upper() + text[1:]


def alt_text(scene: Scene) -> str:
    """Return an original caption such as the web has: short, partial, sometimes wrong.

    It is always the same for a scene.
    """
    rng = random.Random(f"alt text {scene.seed} {scene.index}")  # noqa: S311
    first, second = scene.first.name, scene.second.name
    if rng.random() < WRONG_ALT_TEXT_SHARE:
        others = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
        first = second = rng.choice([name for name in others if name not in (first, second)])
        return rng.choice([f"{first} stock photo", f"{first} icon", f"hand drawn {first}"])
    return rng.choice(
        [
            f"{first} stock photo",
            f"{second} icon",
            f"{first} and {second}",
            f"{first}, {second} - buy this stock illustration",
            f"{second} on {scene.background}",
            f"{scene.first.shape} and {scene.second.shape} flat design",
            "shapes clipart vector",
            f"IMG_{rng.randint(1000, 9999)}",
        ]
    )


def write_scenes(folder: Path, count: int, seed: int, size: tuple[int, int] = SIZE) -> None:
    """Write a data set of the first `count` scenes of a seed.

    The files are `images/NNNNN.jpg`, `captions.json` with the alt texts as original captions, and
    `scenes.jsonl` with the true captions, and by which seed and index each scene is known.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    captions, truths = [], []
    for index in range(count):
        scene = make_scene(seed, index)
        image = f"images/{index:05d}.jpg"
        draw_scene(scene, size).save(folder / image, quality=92)
        captions.append({"image": image, "caption": alt_text(scene)})
        truth = {"image": image, "truth": true_caption(scene), "seed": seed, "index": index}
        truths.append(json.dumps(truth) + "\n")
    (folder / "captions.json").write_text(json.dumps(captions, indent=1) + "\n")
    (folder / SCENES_FILE).write_text("".join(truths))
