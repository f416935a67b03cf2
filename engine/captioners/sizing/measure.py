"""Sizes a model in a process of its own: what its files say, and what a few layers take here.

`main` reads one `SizingJob` as JSON from stdin and prints one `ModelSize`.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import msgspec

from engine.captioners.errors import CheckpointError
from engine.captioners.layer_work import ModelSize, SizingJob
from engine.captioners.model_families import HF
from engine.captioners.settings import Settings
from engine.captioners.sizing.layer_trial import Trial, time_batch
from engine.captioners.sizing.pictures import (
    PictureTokens,
    preparation_of,
    time_preparation,
)
from engine.captioners.sizing.stacks import ModelShape, read_shape
from engine.captioners.sizing.thin_model import time_thin_model


def measure(job: SizingJob) -> ModelSize:
    """Return the size of a model. Raises `CheckpointError`."""
    settings = Settings.of(job.settings)
    trial = Trial(device=job.device, settings=settings, rows=settings.batch)
    shape = read_shape(Path(job.checkpoint))
    preparation = preparation_of(job.family, job.checkpoint, settings, shape)
    prepared, prepare_seconds = time_preparation(preparation.prepare, job.images)
    tokens = preparation.count(prepared)
    caption_seconds = None
    if job.timed and job.family == HF:
        prepare_seconds, caption_seconds = time_thin_model(
            Path(job.checkpoint), job.images, shape.text.layers, trial
        )
    elif job.timed:
        caption_seconds = time_batch(shape, preparation, tokens, trial).total / trial.rows
    return size_of(shape, tokens, trial, prepare_seconds, caption_seconds)


def size_of(
    shape: ModelShape,
    tokens: PictureTokens,
    trial: Trial,
    prepare_seconds: float,
    caption_seconds: float | None,
) -> ModelSize:
    """Return the work of a model, counted by its shape.

    Matrix products count, and of attention the products with all tokens before: the rest is little.
    """
    settings, text = trial.settings, shape.text
    number = trial.dtype.itemsize
    steps = settings.max_new_tokens - 1
    vision = sum(2 * it.active * tokens_of_stack(it.is_vision, tokens) for it in shape.vision)
    read = 2 * (text.active + text.layers * tokens.read * text.width) * tokens.read
    in_layers = 1 if settings.quantize != "none" else number
    length = tokens.prompt + settings.max_new_tokens
    widest = max((it.outputs for it in text.matrices), default=0)
    return ModelSize(
        parameters=shape.parameters,
        prompt_tokens=tokens.prompt,
        prefill_flops=vision + read + 2 * shape.head,
        step_flops=2 * (text.active + shape.head) * steps,
        step_bytes=(text.parameters * in_layers + shape.head * number) * steps,
        row_step_bytes=text.key_value_width * text.layers * number * tokens.prompt * steps,
        weight_bytes=(shape.parameters - text.parameters) * number + text.parameters * in_layers,
        row_bytes=text.key_value_width * text.layers * number * length
        + 3 * shape.vocabulary * 4
        + 2 * widest * number,
        batch=trial.rows,
        prepare_seconds=prepare_seconds,
        caption_seconds=caption_seconds,
    )


def tokens_of_stack(is_vision: bool, tokens: PictureTokens) -> int:
    return tokens.vision if is_vision else tokens.image or tokens.vision


def main() -> None:
    """Read a job from stdin, print the size or, with exit code 4, why there is none."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=SizingJob)
    try:
        with redirect_stdout(sys.stderr):
            size = measure(job)
    except CheckpointError as error:
        print(error)  # noqa: T201 (the answer)
        sys.exit(4)
    print(msgspec.json.encode(size).decode())  # noqa: T201 (the answer)
