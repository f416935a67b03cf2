"""Compares a loaded model with what its family's official code computed.

A golden folder holds `inputs.safetensors` and `expected.safetensors`; every tensor in the second
is compared. Token ids must be equal, features and logits must differ by `TOLERANCE` at most.
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
from engine.captioners.checkpoints.layouts import read_config
from engine.captioners.families import (
    llava,
    minigpt4,
    minigpt4_llama2,
    otter,
    otter_llama,
    otter_model,
    qwen_vl,
)
from engine.captioners.families.spliced import SplicedModel
from engine.captioners.generation.generate import GenerationRequest, generate
from engine.captioners.settings import Settings

TOLERANCE = 5e-5
"""Largest difference of a feature or logit from the official code's, in float32."""
PLACEHOLDER = -200
"""Stands in LLaVA's token ids where the image goes."""
NOT_COMPARED = ("eos_case_id", "generated_official_with_cache")
"""Expected tensors that are not results: a parameter of a case, and what a defect of the official
code generates."""
Tensors = dict[str, torch.Tensor]
"""Tensors by name, as a safetensors file holds them."""


@dataclass(frozen=True, slots=True)
class TensorCheck:
    """The comparison of one expected tensor with what the model computes."""

    name: str
    """The expected tensor's name."""
    worst: float
    """The largest difference, or the number of token ids that differ; infinite if shapes differ."""
    limit: float
    """The largest difference that is allowed."""

    @property
    def good(self) -> bool:
        """True if the model computes the same."""
        return self.worst <= self.limit


class GoldenAdapter(Protocol):
    """Runs the golden inputs of a family through its model."""

    request: GenerationRequest
    """The generation request of the golden inputs, with default settings."""

    def stages(self) -> Tensors:
        """Return what the vision side and the splicing compute, by the expected tensors' names."""

    def logits(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (B, T, vocabulary) and the attention mask (B, T) of what is compared."""

    def generate(self, request: GenerationRequest) -> torch.Tensor:
        """Return the new token ids (B, at most max_new_tokens)."""


class SplicedAdapter:
    """The adapter of a `SplicedModel`."""

    def __init__(
        self,
        model: SplicedModel,
        pixel_values: torch.Tensor,
        prompts: list[tuple[list[int], list[int]]],
        request: GenerationRequest,
        stages: Callable[[], Tensors],
    ) -> None:
        """`prompts` holds for each image the token ids before it and those after it.

        `stages` computes what the vision side is compared by.
        """
        self.model = model
        self.request = request
        self.vision_stages = stages
        self.inputs_embeds, self.mask = model.embed_prompts(pixel_values, prompts)

    def stages(self) -> Tensors:
        return self.vision_stages() | {"inputs_embeds": self.inputs_embeds}

    def logits(self) -> tuple[torch.Tensor, torch.Tensor]:
        position_ids = (self.mask.cumsum(dim=1) - 1).clamp(min=0)
        outputs = self.model.language_model(
            inputs_embeds=self.inputs_embeds, attention_mask=self.mask, position_ids=position_ids
        )
        return outputs.logits, self.mask

    def generate(self, request: GenerationRequest) -> torch.Tensor:
        language_model = self.model.language_model
        return generate(language_model, request, self.mask, inputs_embeds=self.inputs_embeds)


class OtterAdapter:
    """The adapter of Otter, whose prompt is token ids with `<image>` among them."""

    def __init__(self, model: otter_model.OtterModel, folder: Path, inputs: Tensors) -> None:
        ids = json.loads((folder / "special_ids.json").read_text())
        model.image_id = ids["<image>"]
        self.model = model
        self.pixel_values = inputs["vision_x"][:, 0, 0].to(model.lang_encoder.dtype)
        self.input_ids, self.mask = inputs["input_ids"], inputs["attention_mask"]
        record_ids = range(len(self.input_ids))
        self.request = GenerationRequest(
            settings=Settings(),
            record_ids=record_ids,
            family_name="otter",
            stop_ids=[ids["<|endofchunk|>"]],
            pad_id=ids["<PAD>"],
        )

    def stages(self) -> Tensors:
        self.model.set_images(self.pixel_values)
        return {
            "clip_last_hidden": self.model.vision_encoder(self.pixel_values).last_hidden_state,
            "latents": self.model.media_context.latents[:, None],
        }

    def logits(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.model.set_images(self.pixel_values)
        outputs = self.model.lang_encoder(input_ids=self.input_ids, attention_mask=self.mask)
        return outputs.logits, self.mask

    def generate(self, request: GenerationRequest) -> torch.Tensor:
        self.model.set_images(self.pixel_values)
        return generate(self.model.lang_encoder, request, self.mask, input_ids=self.input_ids)


def id_rows(inputs: Tensors, name: str) -> list[list[int]]:
    """Return rows of token ids without their padding in front.

    They lie in tensors `name.0`, `name.1`, ..., or in one tensor `name`.
    """
    if name not in inputs:
        count = sum(key.startswith(f"{name}.") for key in inputs)
        return [inputs[f"{name}.{row}"].tolist() for row in range(count)]
    rows = inputs[name].tolist()
    mask = inputs.get("attention_mask")
    pads = [0] * len(rows) if mask is None else [int((row == 0).sum()) for row in mask]
    return [row[count:] for row, count in zip(rows, pads, strict=True)]


def llava_adapter(model: llava.LlavaModel, folder: Path, inputs: Tensors) -> GoldenAdapter:
    rows = id_rows(inputs, "input_ids")
    prompts = [(row[: row.index(PLACEHOLDER)], row[row.index(PLACEHOLDER) + 1 :]) for row in rows]
    pixel_values = inputs["pixel_values"].to(model.dtype)
    request = GenerationRequest(
        settings=Settings(),
        record_ids=range(len(rows)),
        family_name="llava-1.5",
        stop_ids=[2],
        pad_id=0,
    )

    def stages() -> Tensors:
        return {"image_features": model.image_features(pixel_values)}

    return SplicedAdapter(model, pixel_values, prompts, request, stages)


def minigpt4_adapter(
    model: minigpt4.MiniGPT4Model | minigpt4_llama2.MiniGPT4Llama2Model,
    folder: Path,
    inputs: Tensors,
) -> GoldenAdapter:
    pixel_values = inputs["pixel_values"].to(model.dtype)
    prompts = list(zip(id_rows(inputs, "before_ids"), id_rows(inputs, "after_ids"), strict=True))

    def stages() -> Tensors:
        hidden_states = model.vit(pixel_values)
        return {
            "vit_last": hidden_states,
            "ln_vision": model.vision.post_layernorm(hidden_states),
            "image_embeds": model.image_features(pixel_values),
        }

    request = GenerationRequest(
        settings=Settings(),
        record_ids=range(len(prompts)),
        family_name="minigpt-4",
        stop_ids=[2],
        pad_id=0,
    )
    return SplicedAdapter(model, pixel_values, prompts, request, stages)


def qwen_adapter(model: qwen_vl.QwenVLModel, folder: Path, inputs: Tensors) -> GoldenAdapter:
    start = read_config(folder)["visual"]["image_start_id"]
    rows = id_rows(inputs, "input_ids")
    prompts = [(row[: row.index(start) + 1], row[row.index(start + 1) :]) for row in rows]
    pixel_values = inputs["pixel_values"].to(model.dtype)
    end = json.loads((folder / "provenance.json").read_text())["eod_id"]
    request = GenerationRequest(
        settings=Settings(),
        record_ids=range(len(rows)),
        family_name="qwen-vl",
        stop_ids=[end],
        pad_id=end,
    )

    def stages() -> Tensors:
        return {"image_features": model.image_features(pixel_values)}

    return SplicedAdapter(model, pixel_values, prompts, request, stages)


ADAPTERS: dict[str, Callable[[Any, Path, Tensors], GoldenAdapter]] = {
    "llava-1.5": llava_adapter,
    "minigpt-4": minigpt4_adapter,
    "minigpt-4-llama2": minigpt4_adapter,
    "otter": OtterAdapter,
    "otter-llama": OtterAdapter,
    "qwen-vl": qwen_adapter,
}
"""By family, the function that makes an adapter of a model, a golden folder and its inputs."""
LOADERS: dict[str, Callable[..., tuple[Any, Any]]] = {
    "llava-1.5": llava.load_model,
    "minigpt-4": minigpt4.load_model,
    "minigpt-4-llama2": minigpt4_llama2.load_model,
    "otter": otter.load_model,
    "otter-llama": otter_llama.load_model,
    "qwen-vl": qwen_vl.load_model,
}
"""By family, the function that loads a checkpoint folder's model without its tokenizer."""


@torch.inference_mode()
def checks(family: str, model: Any, folder: Path) -> Iterator[TensorCheck]:
    """Compare the model with a golden folder; yield a check for every expected tensor.

    Raises `CheckpointError` for golden files that do not fit.
    """
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
            logits, mask = adapter.logits()
            vocab_size = expected[name].shape[-1]
            yield compare(name, logits[..., :vocab_size], expected[name], mask)
        else:
            request = request_for(name, adapter, expected)
            yield compare_ids(name, adapter.generate(request), expected)


def request_for(name: str, adapter: GoldenAdapter, expected: Tensors) -> GenerationRequest:
    """Return the request whose result has this name.

    Such names are `generated_no_repeat_3`, `eos_case_min8`, `eos_case_ngram3`.
    """
    ngram, least = (
        int(match[1]) if (match := re.search(pattern, name)) else 0
        for pattern in (r"(?:ngram|no_repeat_)(\d+)", r"min(\d+)")
    )
    settings = Settings(
        max_new_tokens=expected["generated"].shape[1],
        min_new_tokens=least,
        no_repeat_ngram=ngram,
    )
    request = replace(adapter.request, settings=settings)
    if not name.startswith("eos_case"):
        return request
    return replace(request, stop_ids=[int(expected["eos_case_id"].flatten()[0])])


def compare(
    name: str, computed: torch.Tensor, expected: torch.Tensor, mask: torch.Tensor | None = None
) -> TensorCheck:
    """Compare features or logits, where `mask` (B, T) is 1; everywhere without a mask."""
    if computed.shape != expected.shape:
        return TensorCheck(name, float("inf"), TOLERANCE)
    differences = (computed.float().cpu() - expected.float()).abs()
    if mask is not None:
        differences = differences[mask.cpu() == 1]
    elif name == "inputs_embeds":
        differences = differences[computed.cpu().abs().sum(-1) > 0]  # not the padding in front
    return TensorCheck(name, differences.max().item(), TOLERANCE)


def compare_ids(name: str, computed: torch.Tensor, expected: Tensors) -> TensorCheck:
    """Compare token ids, which must be equal."""
    if computed.shape != expected[name].shape:
        return TensorCheck(name, float("inf"), 0)
    return TensorCheck(name, float((computed.cpu() != expected[name]).sum()), 0)
