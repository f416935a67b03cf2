"""How long an open model takes for a picture, timed with a few layers of its language model.

Open models differ in more than the shapes of their layers: in how attention sees an image, in what
transformers does between two layers. So this is the model itself, with its own weights, without
most layers of the language model, which are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from engine.captioners.families.hf.captioner import HuggingFaceCaptioner, load_without_code
from engine.captioners.families.hf.question import ModelInputs
from engine.captioners.sizing.layer_trial import Trial, time_call
from engine.captioners.sizing.pictures import time_preparation

MORE_LAYERS = 4
"""Layers by which the second model that is timed is larger than the first, which has one."""


def time_thin_model(
    folder: Path, images: Sequence[str], layers: int, trial: Trial
) -> tuple[float, float]:
    """Return how long an image takes to prepare and then in the model, in seconds.

    `layers` are those of the language model. Raises `CheckpointError`, and the error of a lack of
    memory.
    """
    more = min(MORE_LAYERS, layers - 1)
    model = load_thin(folder, 1 + more, trial)
    prepared, prepare_seconds = time_preparation(model.prepare, images)
    rows = list(islice(cycle(prepared), trial.rows))
    seconds = time_rows(model, rows, trial)
    if more and layers > 1 + more:
        fewest = time_rows(load_thin(folder, 1, trial), rows, trial)
        seconds += max(0.0, seconds - fewest) / more * (layers - 1 - more)
    return prepare_seconds, seconds / trial.rows


def time_rows(model: HuggingFaceCaptioner, rows: Sequence[ModelInputs], trial: Trial) -> float:
    """Return how long a model takes for a batch, in seconds."""
    return time_call(lambda: model.caption(rows, range(len(rows))), trial.device)


def load_thin(folder: Path, layers: int, trial: Trial) -> HuggingFaceCaptioner:
    """Return a captioner with so many layers of the language model. Raises `CheckpointError`."""
    config = thin_config(folder, layers)
    return load_without_code(folder, trial.settings, trial.device, lambda _: None, config)


def thin_config(folder: Path, layers: int) -> Any:
    """Return the configuration of a checkpoint with so many layers of the language model."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    text = config.get_text_config()
    whole = text.num_hidden_layers
    for name, value in list(vars(text).items()):
        if isinstance(value, list) and len(value) == whole:
            setattr(text, name, value[:layers])  # what kind each layer is of
    text.num_hidden_layers = layers
    return config
