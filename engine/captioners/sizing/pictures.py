"""What a picture is to a model: how many tokens it has, and the work to prepare it.

Nothing of the model is loaded but, of open models, the processor, which alone knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.captioners.checkpoints.layouts import read_config
from engine.captioners.config_files import read_json
from engine.captioners.errors import CheckpointError
from engine.captioners.families.hf.picture_limits import limit_pictures
from engine.captioners.families.hf.processors import load_processor
from engine.captioners.families.hf.question import ModelInputs, make_questions
from engine.captioners.model_families import HF
from engine.captioners.preprocessing.picture_rules import pixel_rules
from engine.captioners.preprocessing.pixels import SquarePreprocessor
from engine.captioners.settings import Settings
from engine.captioners.sizing.stacks import ModelShape
from engine.images.image import Picture

CHARACTERS_OF_TOKEN = 4
"""Characters of an English text that make a token, about."""
QUERIES = ("query_tokens", "attn_pool.query", "latents")
"""How the names of learned queries end: as many tokens does the language model get of an image."""
POSITIONS = ("position_embedding.weight", "pos_embed", "positional_embedding")
"""How the names of a vision side's positions end: it has as many tokens of an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTokens:
    """How many tokens a picture has."""

    vision: int
    """In the layers of the vision side."""
    image: int
    """Those between the vision side and the language model; 0 if they are not told apart."""
    prompt: int
    """In the language model, with those of the text."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How pictures are prepared for a model."""

    prepare: Callable[[Picture], Any]
    """What the worker does with each picture, ahead of the model. Raises `ImageProblem`."""
    count: Callable[[Sequence[Any]], PictureTokens]
    """Takes prepared pictures, and returns how many tokens one has, on average."""


def preparation_of(
    family: str, checkpoint: str, settings: Settings, shape: ModelShape
) -> Preparation:
    """Return how a model's pictures are prepared. Raises `CheckpointError`."""
    folder = Path(checkpoint)
    if family == HF:
        return by_processor(folder, settings, shape)
    vision, side = square_of(folder, shape)
    pooled = [size[-2] for name, size in shape.sizes.items() if name.endswith(QUERIES)]
    image = pooled[0] if pooled else vision
    text = math.ceil(len(settings.prompt) / CHARACTERS_OF_TOKEN)
    # Otter's images enter by cross-attention, beside the prompt.
    is_beside = any("cross_attn" in matrix.name for matrix in shape.text.matrices)
    is_beside = is_beside or any(name.endswith("latents") for name in shape.sizes)
    tokens = PictureTokens(vision=vision, image=image, prompt=text if is_beside else text + image)
    square = SquarePreprocessor(side, settings.preprocess)
    rules = pixel_rules(settings)
    return Preparation(lambda picture: square.resize(picture.rgb(rules)), lambda _: tokens)


def square_of(folder: Path, shape: ModelShape) -> tuple[int, int]:
    """Return the tokens of the vision side and the side of its square image, in pixels.

    Raises `CheckpointError`.
    """
    patch = patch_side(shape)
    visual = read_config(folder).get("visual", {})
    side = visual.get("image_size") if isinstance(visual, dict) else None
    if isinstance(side, int):
        return (side // patch) ** 2, side
    positions = [
        size[-2]
        for name, size in shape.sizes.items()
        if name.endswith(POSITIONS) and len(size) > 1 and "attn_pool" not in name
    ]
    if not positions:
        raise CheckpointError(f"{folder}: how large its images are is not known")
    return positions[0], math.isqrt(positions[0]) * patch


def patch_side(shape: ModelShape) -> int:
    """Return the side of a patch in pixels: that of the first convolution."""
    patches = [size[-1] for size in shape.sizes.values() if len(size) in (4, 5)]
    return patches[0] if patches else 14


def by_processor(folder: Path, settings: Settings, shape: ModelShape) -> Preparation:
    """Return how pictures are prepared for an open model. Raises `CheckpointError`."""
    tokenizer = Path(settings.tokenizer) if settings.tokenizer else folder
    processor = load_processor(folder, tokenizer)
    limit_pictures(processor, settings)
    question = make_questions(processor, read_json(folder / "config.json"), settings)[0]
    rules = pixel_rules(settings)

    def count(rows: Sequence[ModelInputs]) -> PictureTokens:
        prompts = [row["input_ids"].shape[1] for row in rows if "input_ids" in row]
        return PictureTokens(
            vision=round(sum(vision_tokens(row, shape) for row in rows) / len(rows)),
            image=0,
            prompt=round(sum(prompts) / len(prompts)) if prompts else 1,
        )

    return Preparation(lambda picture: question.inputs_of_record(picture.rgb(rules)), count)


def vision_tokens(row: ModelInputs, shape: ModelShape) -> int:
    """Return how many tokens a prepared picture has in the vision side."""
    pixels = row.get("pixel_values")
    if isinstance(pixels, list):
        pixels = pixels[0]
    if pixels is None:
        return 0
    if pixels.dim() <= 3:  # patches, of which a picture has as many as it needs
        return int(pixels.shape[-2])
    *tiles, _, height, width = pixels.shape
    patch = patch_side(shape)
    return math.prod(tiles) * (height // patch) * (width // patch)
