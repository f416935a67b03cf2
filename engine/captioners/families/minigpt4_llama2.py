"""MiniGPT-4 with Llama-2-Chat (github.com/Vision-CAIR/MiniGPT-4, 28 August 2023): no Q-Former.

The patches of EVA ViT-g go in fours, neighbours in a row of the image, through a linear layer to
Llama's embeddings. The official code does not load `ln_vision` where there is no Q-Former, and its
trainer does not train it: so its scale is 1 and its shift 0, unless the projection's file has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn
from transformers import Blip2VisionConfig, LlamaForCausalLM
from transformers.models.blip_2.modeling_blip_2 import Blip2VisionModel

from engine.captioners.base import CheckpointError, LoadedCheckpoint
from engine.captioners.checkpoints.assembly import assemble
from engine.captioners.checkpoints.layouts import (
    find_projection_file,
    read_config,
    subfolder_of_type,
)
from engine.captioners.checkpoints.modules import build_llama
from engine.captioners.checkpoints.weights import (
    Weights,
    count_layers,
    read_file,
    read_folder,
    tensor_shape,
)
from engine.captioners.config_files import read_json
from engine.captioners.families.minigpt4 import (
    EVA,
    LN_VISION_EPS,
    UNUSED,
    MiniGPT4Captioner,
    check_projection,
    encode_patches,
    load_captioner,
    official_recipe,
    unread_blocks,
    vit_config,
)
from engine.captioners.families.spliced import SplicedModel
from engine.captioners.settings import Settings

PATCHES_A_TOKEN = 4
"""Patches that the official code joins to one embedding of the language model."""


class MiniGPT4Llama2Model(SplicedModel):
    """MiniGPT-4 without a Q-Former: four patches of the ViT are projected to one embedding."""

    def __init__(self, vision: Blip2VisionConfig, language_model: LlamaForCausalLM) -> None:
        super().__init__()
        patches = (vision.image_size // vision.patch_size) ** 2
        self.image_size = vision.image_size
        self.vision_tokens = patches + 1
        self.image_tokens = patches // PATCHES_A_TOKEN
        self.language_model = language_model
        with torch.device("meta"):
            self.vision = Blip2VisionModel(vision)
            self.vision.post_layernorm.eps = LN_VISION_EPS
            self.projection = nn.Linear(
                PATCHES_A_TOKEN * vision.hidden_size, language_model.config.hidden_size
            )

    @property
    def vision_layers(self) -> Sequence[nn.Module]:
        layers: nn.ModuleList = self.vision.encoder.layers
        return list(layers)

    def vit(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Encode images (B, 3, S, S) as (B, 1 + patches, D), before `ln_vision`."""
        return encode_patches(self.vision, pixel_values)

    def image_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Encode images (B, 3, S, S) as (B, patches / 4, D): one feature for four patches."""
        patches = self.vision.post_layernorm(self.vit(pixel_values))[:, 1:]
        fours = patches.reshape(len(patches), self.image_tokens, -1)
        features: torch.Tensor = self.projection(fours)
        return features


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[MiniGPT4Llama2Model, LoadedCheckpoint]:
    """Return the model of a checkpoint folder. Raises `CheckpointError`."""
    llama, projection = subfolder_of_type(folder, "llama"), find_projection_file(folder)
    if llama is None or projection is None:
        raise CheckpointError(
            f"{folder} lacks llama-2-7b-chat-hf/ (with its config.json) or"
            " pretrained_minigpt4_llama2_7b.pth"
        )
    language_model = build_llama(read_json(llama / "config.json"))
    trained = read_file(projection)
    eva = read_file(folder / EVA)
    vision = vit_config(eva, read_config(folder).get("vit", {}), folder / EVA)
    check_projection(trained, projection, language_model.config.hidden_size, llama)
    check_no_qformer(trained, projection, vision)
    model = MiniGPT4Llama2Model(vision, language_model)
    weights = read_folder(llama, report) | eva | ln_vision(vision, trained)
    weights |= {key: value for key, value in trained.items() if key.startswith("llama_proj.")}
    unread = unread_blocks(vision.num_hidden_layers, count_layers(eva, "blocks."))
    loaded = assemble(
        model,
        weights,
        official_recipe,
        f"{UNUSED}|{unread}",
        dtype,
        device,
        folder,
        "official files, without a Q-Former",
        report,
    )
    return model, loaded


def check_no_qformer(weights: Weights, path: Path, vision: Blip2VisionConfig) -> None:
    """Raise `CheckpointError` unless a projection takes four patches, and no Q-Former's output."""
    width = tensor_shape(weights, "llama_proj.weight", path)[1]
    patches = (vision.image_size // vision.patch_size) ** 2
    if width != PATCHES_A_TOKEN * vision.hidden_size or patches % PATCHES_A_TOKEN:
        raise CheckpointError(
            f"{path} projects from width {width}, not from {PATCHES_A_TOKEN} patches of width"
            f" {vision.hidden_size}: it is that of MiniGPT-4 with a Q-Former and Vicuna, which"
            " loads with --model minigpt-4"
        )


def ln_vision(vision: Blip2VisionConfig, trained: Weights) -> Weights:
    """Return the weights of `ln_vision`: those of the projection's file, else scale 1, shift 0."""
    width = vision.hidden_size
    untrained = {"weight": torch.ones(width), "bias": torch.zeros(width)}
    return {
        key: trained.get(key, value)
        for key, value in ((f"ln_vision.{name}", it) for name, it in untrained.items())
    }


class MiniGPT4Llama2Captioner(MiniGPT4Captioner):
    """Captions with MiniGPT-4 and Llama-2-Chat."""

    name = "minigpt-4-llama2"
    ending = None


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> MiniGPT4Captioner:
    """Return the captioner of a checkpoint folder. Raises `CheckpointError`."""
    return load_captioner(MiniGPT4Llama2Captioner, load_model, checkpoint, settings, device, report)
