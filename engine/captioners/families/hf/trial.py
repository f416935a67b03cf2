"""The trial of a loaded model: two drawn pictures of unequal size, alone and together.

What is wrong with a checkpoint is thereby found before a record is sent, and whether pictures may
go through the model in one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from PIL import Image, ImageDraw

from engine.captioners.base import CheckpointError
from engine.captioners.checkpoints.quantization import QuantizedLinear
from engine.captioners.config_files import AGAIN, server_advice
from engine.captioners.errors import first_line
from engine.captioners.families.hf.question import ModelInputs, Question
from engine.captioners.families.hf.rows import collate, to_device
from engine.captioners.families.hf.ways import own_generate
from engine.hardware.memory import is_out_of_memory

SIZES = ((200, 120), (90, 260))
"""Width and height, in pixels, of the two pictures."""
TEXTS = ("it", "a dog runs along the beach, and two people look at it")
"""Texts of unequal length, as records may have them."""
NEW_TOKENS = 3
"""Tokens that the model says of them."""
LIMITS = {torch.float32: 1e-3}
"""By how much the logits of a picture may differ between alone and together: the length of the
difference over the length of the logits about their mean. Without padding it is about 1e-6."""
HALF_LIMIT = 0.1
"""The same for the other dtypes and for weights that were rounded to eight bits. Rounding alone
makes some hundredths in bfloat16."""

FAILS = "it fails at a test picture"
"""The beginning of the sentence about a model that raises."""


def draw_pictures() -> list[Image.Image]:
    """Return the two pictures, which show different things."""
    first = Image.new("RGB", SIZES[0], "white")
    second = Image.new("RGB", SIZES[1], "navy")
    ImageDraw.Draw(first).ellipse((60, 20, 140, 100), fill="red")
    ImageDraw.Draw(second).rectangle((10, 150, 80, 240), fill="yellow")
    return [first, second]


def try_processor(question: Question) -> list[ModelInputs]:
    """Return the model inputs of each picture. Raises `CheckpointError`."""
    what = "its own processor refuses a test picture"
    rows: list[ModelInputs] = [
        attempt(what, partial(question.inputs, image)) for image in draw_pictures()
    ]
    if not any(is_picture(value) for row in rows for value in row.values()):
        raise CheckpointError(
            f"its processor, {type(question.processor).__name__}, ignores pictures: the model reads"
            " text only; take a model that reads images"
        )
    return rows


def unequal_texts(questions: Sequence[Question]) -> list[ModelInputs]:
    """Return the inputs of a picture with the shortest text and the longest of a few for records.

    There are none if all records are asked the same. Raises `CheckpointError`.
    """
    if len(questions) == 1 and not questions[0].keys:
        return []
    image = draw_pictures()[0]
    rows = [
        attempt(FAILS, partial(question.inputs, image, dict.fromkeys(question.keys, text)))
        for question in questions
        for text in TEXTS
    ]
    rows.sort(key=lambda row: row["input_ids"].shape[1] if "input_ids" in row else 0)
    return [rows[0], rows[-1]]


def is_picture(value: Any) -> bool:
    """Return True if a model input holds pixels or features.

    They are no whole numbers, or have more axes than tokens have.
    """
    if isinstance(value, list):
        return any(is_picture(it) for it in value)
    return isinstance(value, torch.Tensor) and (value.is_floating_point() or value.dim() > 3)


def try_model(model: Any, rows: Sequence[ModelInputs], pad_id: int | None) -> bool:
    """Have a model say something of each picture, and of both at once.

    Returns True if it says of both together what it says of each alone: then pictures may share a
    batch. Raises `CheckpointError`, and the error of a lack of memory.
    """
    alone: list[torch.Tensor] = [attempt(FAILS, partial(first_logits, model, row)) for row in rows]
    if any(bool(logits.isnan().any()) for logits in alone):
        dtype = str(model.dtype).removeprefix("torch.")
        wider = "" if dtype == "float32" else "set dtype=float32, or "
        raise CheckpointError(
            f"its answer to a test picture is not a number (NaN) in {dtype}: {wider}{AGAIN}"
        )
    if torch.equal(alone[0][0], alone[1][0]):
        raise CheckpointError(
            "it gives the same answer to two different pictures, so the pictures do not reach it:"
            " its chat template or its weights are not those of its authors; download it again"
        )
    return says_the_same_together(model, rows, alone, pad_id)


def try_unequal_texts(model: Any, rows: Sequence[ModelInputs], pad_id: int | None) -> bool:
    """Return True if a model says of rows with unequal texts together what it says of each alone.

    Raises the error of a lack of memory, and `CheckpointError`.
    """
    alone: list[torch.Tensor] = [attempt(FAILS, partial(first_logits, model, row)) for row in rows]
    return says_the_same_together(model, rows, alone, pad_id)


def says_the_same_together(
    model: Any, rows: Sequence[ModelInputs], alone: Sequence[torch.Tensor], pad_id: int | None
) -> bool:
    """Return True if a model says of rows together what it says of each, `alone` (1, vocabulary).

    Raises the error of a lack of memory.
    """
    try:
        together = first_logits(model, collate(rows, pad_id))
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return False
    return all(are_equal(single[0], together[number], model) for number, single in enumerate(alone))


def attempt(what: str, action: Callable[[], Any]) -> Any:
    """Return what an action returns.

    Raises `CheckpointError` for what it raises, and the error of a lack of memory as it is.
    """
    try:
        return action()
    except CheckpointError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise CheckpointError(
            f"{what} ({first_line(error)}), perhaps since files of two copies are mixed: download"
            f" it again, or {server_advice()}"
        ) from error


@torch.inference_mode()
def first_logits(model: Any, inputs: ModelInputs, new_tokens: int = NEW_TOKENS) -> torch.Tensor:
    """Return the logits (B, vocabulary) of the first new token, of so many that are generated."""
    output = own_generate(model)(
        **to_device(inputs, model.device, model.dtype),
        max_new_tokens=new_tokens,
        do_sample=False,
        num_beams=1,
        return_dict_in_generate=True,
        output_logits=True,
    )
    logits: torch.Tensor = output.logits[0]
    return logits.float().cpu()


def are_equal(one: torch.Tensor, other: torch.Tensor, model: Any) -> bool:
    """Return True if two vectors of logits differ by no more than the rounding of a model."""
    rounds_more = any(isinstance(it, QuantizedLinear) for it in model.modules())
    limit = HALF_LIMIT if rounds_more else LIMITS.get(model.dtype, HALF_LIMIT)
    return differ_by(one, other) <= limit


def differ_by(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the distance of two vectors of logits over the length of the first about its mean."""
    return float((one - other).norm() / (one - one.mean()).norm().clamp_min(1e-9))
