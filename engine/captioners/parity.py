"""A loaded model against what its family's official code computed.

A golden folder holds `inputs.safetensors` and `expected.safetensors`; every tensor in the second
is compared. Token ids must be equal, features and logits within `TOLERANCE`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file

from engine.captioners.base import CheckpointError
from engine.captioners.checkpoints.layouts import config_of
from engine.captioners.families import llava, minigpt4, otter, qwen_vl
from engine.captioners.families.spliced import SplicedModel
from engine.captioners.generation.generate import GenerationRequest, generate
from engine.captioners.settings import Settings

TOLERANCE = 5e-5
PLACEHOLDER = -200
"""The image's place in LLaVA's ids."""
NOT_COMPARED = ("eos_case_id", "generated_official_with_cache")
"""A parameter, and a defect of the official code."""
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Check:
    """`worst` is the largest difference; infinite where shapes differ."""

    name: str
    worst: float
    limit: float

    @property
    def good(self) -> bool:
        return self.worst <= self.limit


class Adapter(Protocol):
    """How the golden inputs of a family go through its model."""

    asked: GenerationRequest

    def stages(self) -> Tensors: ...

    def logits(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, T, vocabulary) and the mask (B, T) of what counts."""

    def generate(self, asked: GenerationRequest) -> torch.Tensor: ...


class SplicedAdapter:
    """`rows` are (ids before the image, ids after it)."""

    def __init__(
        self,
        model: SplicedModel,
        pixels: torch.Tensor,
        rows: list[tuple[list[int], list[int]]],
        asked: GenerationRequest,
        stages: Callable[[], Tensors],
    ) -> None:
        self.model = model
        self.asked = asked
        self.more_stages = stages
        self.embeddings, self.mask = model.join(pixels, rows)

    def stages(self) -> Tensors:
        return self.more_stages() | {"inputs_embeds": self.embeddings}

    def logits(self) -> tuple[torch.Tensor, torch.Tensor]:
        places = (self.mask.cumsum(dim=1) - 1).clamp(min=0)
        found = self.model.language_model(
            inputs_embeds=self.embeddings, attention_mask=self.mask, position_ids=places
        )
        return found.logits, self.mask

    def generate(self, asked: GenerationRequest) -> torch.Tensor:
        return generate(self.model.language_model, asked, self.mask, inputs_embeds=self.embeddings)


class OtterAdapter:
    def __init__(self, model: otter.OtterModel, folder: Path, inputs: Tensors) -> None:
        ids = json.loads((folder / "special_ids.json").read_text())
        model.image_id = ids["<image>"]
        self.model = model
        self.pixels = inputs["vision_x"][:, 0, 0].to(model.lang_encoder.dtype)
        self.ids, self.mask = inputs["input_ids"], inputs["attention_mask"]
        rows = range(len(self.ids))
        self.asked = GenerationRequest(
            Settings(), rows, "otter", [ids["<|endofchunk|>"]], ids["<PAD>"]
        )

    def stages(self) -> Tensors:
        self.model.see(self.pixels)
        return {
            "clip_last_hidden": self.model.vision_encoder(self.pixels).last_hidden_state,
            "latents": self.model.look.latents[:, None],
        }

    def logits(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.model.see(self.pixels)
        found = self.model.lang_encoder(input_ids=self.ids, attention_mask=self.mask)
        return found.logits, self.mask

    def generate(self, asked: GenerationRequest) -> torch.Tensor:
        self.model.see(self.pixels)
        return generate(self.model.lang_encoder, asked, self.mask, input_ids=self.ids)


def rows_of(inputs: Tensors, name: str) -> list[list[int]]:
    """Rows of ids, `name.0`, `name.1`, ... or one tensor; padding in front is taken off."""
    if name not in inputs:
        count = sum(key.startswith(f"{name}.") for key in inputs)
        return [inputs[f"{name}.{number}"].tolist() for number in range(count)]
    rows = inputs[name].tolist()
    mask = inputs.get("attention_mask")
    pads = [0] * len(rows) if mask is None else [int((row == 0).sum()) for row in mask]
    return [row[count:] for row, count in zip(rows, pads, strict=True)]


def llava_adapter(model: llava.LlavaModel, folder: Path, inputs: Tensors) -> Adapter:
    rows = rows_of(inputs, "input_ids")
    cut = [(row[: row.index(PLACEHOLDER)], row[row.index(PLACEHOLDER) + 1 :]) for row in rows]
    pixels = inputs["pixel_values"].to(model.dtype)
    asked = GenerationRequest(Settings(), range(len(rows)), "llava-1.5", [2], 0)
    return SplicedAdapter(
        model, pixels, cut, asked, lambda: {"image_features": model.image_features(pixels)}
    )


def minigpt4_adapter(model: minigpt4.MiniGPT4Model, folder: Path, inputs: Tensors) -> Adapter:
    pixels = inputs["pixel_values"].to(model.dtype)
    rows = list(zip(rows_of(inputs, "before_ids"), rows_of(inputs, "after_ids"), strict=True))

    def stages() -> Tensors:
        last = model.vit(pixels)
        return {
            "vit_last": last,
            "ln_vision": model.vision.post_layernorm(last),
            "image_embeds": model.image_features(pixels),
        }

    asked = GenerationRequest(Settings(), range(len(rows)), "minigpt-4", [2], 0)
    return SplicedAdapter(model, pixels, rows, asked, stages)


def qwen_adapter(model: qwen_vl.QwenVLModel, folder: Path, inputs: Tensors) -> Adapter:
    start = config_of(folder)["visual"]["image_start_id"]
    rows = rows_of(inputs, "input_ids")
    cut = [(row[: row.index(start) + 1], row[row.index(start + 1) :]) for row in rows]
    pixels = inputs["pixel_values"].to(model.dtype)
    end = json.loads((folder / "provenance.json").read_text())["eod_id"]
    asked = GenerationRequest(Settings(), range(len(rows)), "qwen-vl", [end], end)
    return SplicedAdapter(
        model, pixels, cut, asked, lambda: {"image_features": model.image_features(pixels)}
    )


ADAPTERS: dict[str, Callable[[Any, Path, Tensors], Adapter]] = {
    "llava-1.5": llava_adapter,
    "minigpt-4": minigpt4_adapter,
    "otter": OtterAdapter,
    "qwen-vl": qwen_adapter,
}
LOADERS: dict[str, Callable[..., tuple[Any, Any]]] = {
    "llava-1.5": llava.load_model,
    "minigpt-4": minigpt4.load_model,
    "otter": otter.load_model,
    "qwen-vl": qwen_vl.load_model,
}


@torch.inference_mode()
def checks(family: str, model: Any, folder: Path) -> Iterator[Check]:
    """One for every expected tensor. Raises `CheckpointError` for golden files that do not fit."""
    device = next(model.parameters()).device
    inputs = load_file(folder / "inputs.safetensors", str(device))
    expected = load_file(folder / "expected.safetensors")
    try:
        adapter = ADAPTERS[family](model, folder, inputs)
        stages = adapter.stages()
    except (KeyError, ValueError, OSError) as error:
        raise CheckpointError(f"the golden files in {folder} do not fit: {error!r}") from error
    for name in sorted(expected.keys() - NOT_COMPARED):
        if name in stages:
            yield compare(name, stages[name], expected[name])
        elif name == "logits":
            found, mask = adapter.logits()
            words = expected[name].shape[-1]
            yield compare(name, found[..., :words], expected[name], mask)
        else:
            yield compare_ids(name, adapter.generate(asked_of(name, adapter, expected)), expected)


def asked_of(name: str, adapter: Adapter, expected: Tensors) -> GenerationRequest:
    """Read from the name: `generated_no_repeat_3`, `eos_case_min8`, `eos_case_ngram3`."""
    ngram, least = (
        int(found[1]) if (found := re.search(pattern, name)) else 0
        for pattern in (r"(?:ngram|no_repeat_)(\d+)", r"min(\d+)")
    )
    settings = Settings(
        max_new_tokens=expected["generated"].shape[1],
        min_new_tokens=least,
        no_repeat_ngram=ngram,
    )
    asked = replace(adapter.asked, settings=settings)
    if not name.startswith("eos_case"):
        return asked
    return replace(asked, stop_ids=[int(expected["eos_case_id"].flatten()[0])])


def compare(
    name: str, found: torch.Tensor, expected: torch.Tensor, mask: torch.Tensor | None = None
) -> Check:
    if found.shape != expected.shape:
        return Check(name, float("inf"), TOLERANCE)
    apart = (found.float().cpu() - expected.float()).abs()
    if mask is not None:
        apart = apart[mask.cpu() == 1]
    elif name == "inputs_embeds":
        apart = apart[found.cpu().abs().sum(-1) > 0]
    return Check(name, apart.max().item(), TOLERANCE)


def compare_ids(name: str, found: torch.Tensor, expected: Tensors) -> Check:
    if found.shape != expected[name].shape:
        return Check(name, float("inf"), 0)
    return Check(name, float((found.cpu() != expected[name]).sum()), 0)
