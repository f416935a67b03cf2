"""Sizes a model in a process of its own: what its files say, and what a few layers take here.

`main` reads one `SizingJob` as JSON from stdin and prints one `ModelSize`.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from engine.captioners.checkpoints.layouts import read_config
from engine.captioners.errors import CheckpointError
from engine.captioners.layer_work import ModelSize, SizingJob
from engine.captioners.model_families import HF
from engine.captioners.settings import Settings
from engine.captioners.sizing.layer_trial import Trial, time_batch, vision_tokens_of
from engine.captioners.sizing.pictures import (
    PictureTokens,
    preparation_of,
    time_preparation,
)
from engine.captioners.sizing.stacks import ModelShape, read_shape
from engine.captioners.sizing.thin_model import time_thin_model

EXPERTS_OF_TOKEN = ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "top_k_experts")
"""Keys of a config that say through how many experts a token goes."""
FEATURE_LAYER = ("vision_feature_layer", "mm_vision_select_layer")
"""Keys of a config that say which of the vision side's layers is read, -1 the last."""


def measure(job: SizingJob) -> ModelSize:
    """Return the size of a model. Raises `CheckpointError`."""
    settings = Settings.of(job.settings)
    trial = Trial(device=job.device, settings=settings, rows=settings.batch)
    folder = Path(job.checkpoint)
    shape = read_shape(folder, experts_of_token(folder), unread_layers(folder))
    preparation = preparation_of(job.family, job.checkpoint, settings, shape)
    prepared, prepare_seconds = time_preparation(preparation.prepare, job.images)
    tokens = preparation.count(prepared)
    caption_seconds = None
    if job.timed and job.family == HF:
        # Some types of model cannot be made with fewer layers: theirs are timed by their shapes.
        with suppress(CheckpointError):
            prepare_seconds, caption_seconds = time_thin_model(
                folder, job.images, shape.text.layers, trial
            )
    if job.timed and caption_seconds is None:
        caption_seconds = time_batch(shape, preparation, tokens, trial).total / trial.rows
    size = size_of(shape, tokens, trial, prepare_seconds, caption_seconds)
    # Weights of a few bits lie in the files as they do in memory, in numbers of another type.
    is_packed = "quantization_config" in read_config(folder)
    return replace(size, weight_bytes=shape.bytes_in_files) if is_packed else size


def experts_of_token(folder: Path) -> int:
    """Return through how many experts a token goes; 0 if the config does not say."""
    config = read_config(folder)
    texts = (config, config.get("text_config"), config.get("llm_config"))
    values = (it.get(key) for it in texts if isinstance(it, dict) for key in EXPERTS_OF_TOKEN)
    return next((value for value in values if isinstance(value, int)), 0)


def unread_layers(folder: Path) -> int:
    """Return how many of the vision side's last layers are not computed, as LLaVA's."""
    config = read_config(folder)
    values = [config.get(key) for key in FEATURE_LAYER]
    return next((-1 - value for value in values if isinstance(value, int) and value < 0), 0)


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
    vision = sum(2 * it.active * vision_tokens_of(it, shape, tokens) for it in shape.vision)
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
