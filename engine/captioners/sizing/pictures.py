"""What a picture is to a model: how many tokens it has, and the work to prepare it.

Nothing of the model is loaded but, of open models, the processor, which alone knows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.captioners.checkpoints.layouts import missing_tokenizer, read_config
from engine.captioners.config_files import read_json
from engine.captioners.errors import CheckpointError
from engine.captioners.families.hf.picture_limits import limit_pictures
from engine.captioners.families.hf.processors import load_processor
from engine.captioners.families.hf.question import ModelInputs, make_questions
from engine.captioners.families.minigpt4 import STOP_TEXT
from engine.captioners.families.qwen_tokenizer import QwenTokenizer
from engine.captioners.generation.static_decoders import MIN_PREFIX_TOKENS
from engine.captioners.model_families import FAMILIES, HF
from engine.captioners.preprocessing.picture_rules import pixel_rules
from engine.captioners.preprocessing.pixels import SquarePreprocessor
from engine.captioners.preprocessing.prompts import load_tokenizer
from engine.captioners.settings import Settings
from engine.captioners.sizing.stacks import ModelShape
from engine.images.image import ImageProblem, Picture, open_image

WARM_UP = 2
"""Images that are prepared once before others are timed."""
QWEN_RANKS = "qwen.tiktoken"
"""The file of Qwen-VL's tokenizer."""
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
    read: int
    """Those of them that are read with each picture: a long text before it is read once."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How pictures are prepared for a model."""

    prepare: Callable[[Picture], Any]
    """What the worker does with each picture, ahead of the model. Raises `ImageProblem`."""
    count: Callable[[Sequence[Any]], PictureTokens]
    """Takes prepared pictures, and returns how many tokens one has, on average."""
    tokenizer: Any
    """It makes text of what the model says."""
    stop_text: str | None = None
    """The text at which an answer ends, if it is no token of its own."""


def preparation_of(
    family: str, checkpoint: str, settings: Settings, shape: ModelShape
) -> Preparation:
    """Return how a model's pictures are prepared. Raises `CheckpointError`."""
    folder = Path(checkpoint)
    if family == HF:
        return by_processor(folder, settings, shape)
    vision, side = square_of(folder, shape)
    pooled = [size[-2] for name, size in shape.sizes.items() if name.endswith(QUERIES)]
    image = pooled[0] if pooled else vision // patches_of_token(shape)
    tokenizer = tokenizer_of(folder, settings)
    texts = settings.prompt.split(FAMILIES[family].placeholder)
    before, after = (len(tokenizer.encode(text)) for text in (texts[0], texts[-1]))
    # Otter's images enter by cross-attention, beside the prompt.
    beside = any(name.endswith("latents") for name in shape.sizes)
    prompt = before + after + (0 if beside else image)
    once = before if before >= MIN_PREFIX_TOKENS and not beside else 0
    tokens = PictureTokens(vision=vision, image=image, prompt=prompt, read=prompt - once)
    square = SquarePreprocessor(side, settings.preprocess)
    rules = pixel_rules(settings)
    return Preparation(
        lambda picture: square.resize(picture.rgb(rules)),
        lambda _: tokens,
        tokenizer,
        STOP_TEXT if family == "minigpt-4" else None,
    )


def time_preparation(
    prepare: Callable[[Picture], Any], images: Sequence[str]
) -> tuple[list[Any], float]:
    """Prepare images; return them, and how long one takes on average, in seconds.

    Those that cannot be read are left out, as in a run. Raises `CheckpointError` if none can.
    """
    prepared: list[Any] = []
    seconds = 0.0
    for warm_up in (True, False):
        prepared.clear()
        began = time.perf_counter()
        for image in images[:WARM_UP] if warm_up else images:
            with suppress(ImageProblem):
                prepared.append(prepare(open_image(image)))
        seconds = time.perf_counter() - began
    if not prepared:
        raise CheckpointError("none of the first images can be read")
    return prepared, seconds / len(prepared)


def tokenizer_of(folder: Path, settings: Settings) -> Any:
    """Return the tokenizer of a family of ours, which may lie in a folder of the checkpoint's.

    Raises `CheckpointError`.
    """
    if (folder / QWEN_RANKS).is_file():
        return QwenTokenizer(Path(settings.tokenizer or folder))
    places = [Path(settings.tokenizer)] if settings.tokenizer else [folder, *folder.glob("*/")]
    for place in places:
        if not missing_tokenizer(place):
            return load_tokenizer(place)
    raise CheckpointError(f"{folder} lacks tokenizer.json or tokenizer.model")


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


def patches_of_token(shape: ModelShape) -> int:
    """Return how many patches the projection makes one token of the language model of."""
    widths = {stack.width for stack in shape.vision}
    return next(
        (
            size[1] // width
            for size in shape.sizes.values()
            for width in widths
            if len(size) == 2 and size[0] == shape.text.width and size[1] in (4 * width, 9 * width)
        ),
        1,
    )


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
        prompt = round(sum(prompts) / len(prompts)) if prompts else 1
        return PictureTokens(
            vision=round(sum(vision_tokens(row, shape) for row in rows) / len(rows)),
            image=0,
            prompt=prompt,
            read=prompt,
        )

    return Preparation(
        lambda picture: question.inputs_of_record(picture.rgb(rules)), count, processor.tokenizer
    )


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
    return int(math.prod(tiles) * (height // patch) * (width // patch))
