"""Drawn scenes whose truth is known: two coloured shapes, how they lie, a background.

Scene `index` of a seed is always the same, whatever was drawn before it.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

Rgb = tuple[int, int, int]
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
"""Width and height in pixels; the scene itself lies in the centre square."""
WRONG_ALT_TEXTS = 0.15
"""The share of original captions that name something else."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One shape; lengths in sides of the centre square, the angle in degrees."""

    colour: str
    shape: str
    x: float
    y: float
    radius: float
    angle: float
    rgb: Rgb

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True, slots=True)
class Scene:
    """`first` lies above or to the left of `second`; they never touch and always differ."""

    seed: int
    index: int
    first: Thing
    second: Thing
    relation: str
    background: str
    rgb: Rgb


def scene(seed: int, index: int) -> Scene:
    # Seeded by a string, which Random hashes alike on every machine and version.
    chance = random.Random(f"scene {seed} {index}")  # noqa: S311
    relation = chance.choice(RELATIONS)
    background = chance.choice(list(BACKGROUNDS))
    names = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    first, second = chance.sample(names, 2)
    return Scene(
        seed,
        index,
        place(first, relation, -1, chance),
        place(second, relation, 1, chance),
        relation,
        background,
        shade(BACKGROUNDS[background], chance),
    )


def place(name: tuple[str, str], relation: str, side: int, chance: random.Random) -> Thing:
    """Somewhere in its own half (side -1: upper or left), so that the relation is plain."""
    radius = chance.uniform(0.13, 0.21)
    along = 0.5 + side * chance.uniform(radius + 0.02, 0.47 - radius)
    across = chance.uniform(0.4, 0.6)
    x, y = (across, along) if relation == "above" else (along, across)
    colour, shape = name
    angle = chance.uniform(-15, 15)
    return Thing(colour, shape, x, y, radius, angle, shade(COLOURS[colour], chance))


def shade(rgb: Rgb, chance: random.Random) -> Rgb:
    red, green, blue = (min(255, max(0, part + chance.randint(-10, 10))) for part in rgb)
    return red, green, blue


def draw(scene: Scene, size: tuple[int, int] = SIZE) -> Image.Image:
    """RGB, `size` is (width, height) in pixels."""
    # Pillow's polygons have hard edges: drawn at twice the size, then averaged.
    width, height = 2 * size[0], 2 * size[1]
    side = min(width, height)
    corner = ((width - side) / 2, (height - side) / 2)
    image = Image.new("RGB", (width, height), scene.rgb)
    pen = ImageDraw.Draw(image)
    for thing in (scene.first, scene.second):
        middle = (corner[0] + thing.x * side, corner[1] + thing.y * side)
        pen.polygon(
            [
                (middle[0] + x * thing.radius * side, middle[1] + y * thing.radius * side)
                for x, y in turned(OUTLINES[thing.shape], thing.angle)
            ],
            fill=thing.rgb,
        )
    return image.reduce(2)


def turned(outline: list[Point], degrees: float) -> list[Point]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in outline]


def polygon(corners: int, *radii: float, start: float = -90) -> list[Point]:
    """Corners on circles of these radii in turn, the first one at `start` degrees."""
    angles = (math.radians(start + 360 * corner / corners) for corner in range(corners))
    return [
        (radii[corner % len(radii)] * math.cos(angle), radii[corner % len(radii)] * math.sin(angle))
        for corner, angle in enumerate(angles)
    ]


ARM = 0.3
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
"""Within the unit circle around the origin, y downwards."""


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def truth(scene: Scene) -> str:
    """The sheared caption that is right, without its full stop."""
    first, second = (f"{article(it.name)} {it.name}" for it in (scene.first, scene.second))
    text = f"{first} is {scene.relation} {second} on a {scene.background} background"
    return text[0].upper() + text[1:]


def alt_text(scene: Scene) -> str:
    """The original caption, as the web has them: short, partial, now and then wrong."""
    chance = random.Random(f"alt text {scene.seed} {scene.index}")  # noqa: S311
    first, second = scene.first.name, scene.second.name
    if chance.random() < WRONG_ALT_TEXTS:
        others = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
        first = second = chance.choice([name for name in others if name not in (first, second)])
        return chance.choice([f"{first} stock photo", f"{first} icon", f"hand drawn {first}"])
    return chance.choice(
        [
            f"{first} stock photo",
            f"{second} icon",
            f"{first} and {second}",
            f"{first}, {second} - buy this stock illustration",
            f"{second} on {scene.background}",
            f"{scene.first.shape} and {scene.second.shape} flat design",
            "shapes clipart vector",
            f"IMG_{chance.randint(1000, 9999)}",
        ]
    )


def write(folder: Path, count: int, seed: int, size: tuple[int, int] = SIZE) -> None:
    """`images/NNNNN.jpg`, `captions.json` with the alt texts and `scenes.jsonl` with the truth."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    captions, truths = [], []
    for index in range(count):
        it = scene(seed, index)
        image = f"images/{index:05d}.jpg"
        draw(it, size).save(folder / image, quality=92)
        captions.append({"image": image, "caption": alt_text(it)})
        truths.append(json.dumps({"image": image, "truth": truth(it)}) + "\n")
    (folder / "captions.json").write_text(json.dumps(captions, indent=1) + "\n")
    (folder / "scenes.jsonl").write_text("".join(truths))
