"""Which folders can score captions, and the advice for others: one sentence each.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.captioners.checkpoints.folder_kinds import HF_KINDS, stand_in
from engine.captioners.checkpoints.layouts import (
    NO_IMAGE_PROCESSOR,
    missing_hf_files,
    missing_llava_files,
    read_config,
)
from engine.captioners.config_files import AGAIN
from engine.captioners.open_models import OPEN_MODELS

CONTRASTIVE_TYPES = {"clip": "CLIP", "siglip": "SigLIP", "siglip2": "SigLIP 2"}
"""The models that the family `score` loads, by their `model_type`."""
UNASKED_TYPES = ("blip", "pix2struct", "vision-encoder-decoder")
"""Types whose models only caption: they were trained without questions."""
OPENCLIP = "open_clip_config.json"
"""The file by which OpenCLIP knows a model."""


def contrastive(folder: Path, config: Mapping[str, Any]) -> str | None:
    """Return what to do with a CLIP that was named as a captioner; None for other models."""
    name = CONTRASTIVE_TYPES.get(str(config.get("model_type")))
    if name is None:
        return None
    return (
        f"{folder} is a {name}, which compares images with texts and writes no captions: let it"
        f" score captions, --model NAME=score:{folder}"
    )


def is_asked_as_llava(folder: Path, quantize: str) -> bool:
    """Return True for a folder whose model is asked about captions by the family llava-1.5.

    All others are asked by `hf`: so is a LLaVA in the Hugging Face layout, unless it lacks a file
    that only `hf` needs, or is to be quantized.
    """
    config = read_config(folder)
    if config.get("model_type") == "llava" and "mm_vision_tower" not in config:
        return quantize != "none" or NO_IMAGE_PROCESSOR in missing_hf_files(folder, None)
    return "mm_vision_tower" in config


def missing_vqa_files(folder: Path, tokenizer: Path | None) -> list[str]:
    """Return what a folder lacks to be asked about captions."""
    missing = missing_llava_files if is_asked_as_llava(folder, "none") else missing_hf_files
    return missing(folder, tokenizer)


def advice_for_asked(folder: Path, quantize: str) -> str | None:
    """Return why a captioner cannot be asked about captions, and what to do; None if it can."""
    kind = read_config(folder).get("model_type")
    if kind in UNASKED_TYPES:
        return (
            f"{folder}: a model of the type {kind!r} cannot answer questions about captions:"
            " take one that can, or a CLIP, --model NAME=score:FOLDER"
        )
    if quantize != "none" and not is_asked_as_llava(folder, quantize):
        return f"{folder}: only a LLaVA-1.5 can be quantized when it is loaded: set quantize=none"
    return None


def advice_for_contrastive(folder: Path, missing: Sequence[str]) -> str | None:
    """Return what a folder is in place of a CLIP, and what to do; None if nothing is known.

    `missing` says what the family lacks in it. Raises `OSError`.
    """
    return next(filter(None, sentences(folder, missing)), None)


def sentences(folder: Path, missing: Sequence[str]) -> Iterator[str | None]:
    """Yield the sentence of each kind that the folder is of, and None for others."""
    config = read_config(folder)
    if missing and (folder / OPENCLIP).is_file() and not config:
        yield (
            f"{folder} is a model of OpenCLIP in its own layout: take the copy in transformers'"
            " layout, with config.json and model.safetensors, which most of its repositories have"
        )
    kind = config.get("model_type")
    if kind is not None and kind not in CONTRASTIVE_TYPES:
        yield other_type(folder, str(kind))
    if missing:
        yield from (of_kind(folder) for of_kind in HF_KINDS)
    yield stand_in(folder)
    if not missing and kind is None:
        yield f"{folder}/config.json names no model_type: {AGAIN}"


def other_type(folder: Path, kind: str) -> str:
    """Return the sentence for a model of a type that the family does not load."""
    model = OPEN_MODELS.get(kind)
    known = ", ".join(CONTRASTIVE_TYPES.values())
    what = f"{folder}: a model of the type {kind!r} does not compare images with texts"
    if model is not None and model.refusal is None:
        return f"{what} ({known}): ask it about captions, --model NAME=score-vqa:{folder}"
    return f"{what}: take one of {known}"
