"""A demo model while it is trained: loaded in float32 by the family's own loader."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.captioners.families.otter import OtterCaptioner
from engine.captioners.families.qwen_tokenizer import QwenTokenizer
from engine.captioners.families.spliced import SplicedCaptioner
from engine.captioners.generation.generate import splice
from engine.captioners.preprocessing.prompts import encode
from engine.captioners.registry import FAMILIES


class TrainableModel(ABC):
    """The parts of a model that training needs, with one interface for all families."""

    module: Any
    """The model itself, as its captioner uses it."""
    end_ids: list[int]
    """Token ids with which a caption ends."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Return the token ids of a part of a caption."""

    @abstractmethod
    def encode_images(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Map images (B, 3, S, S) to the features (B, n, D) that the language model reads."""

    @abstractmethod
    def caption_logits(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, n, vocabulary) of target ids (B, n) that follow the prompt."""


class TrainableSplicedModel(TrainableModel):
    """A model whose image features stand in its prompt: LLaVA, MiniGPT-4, Qwen-VL."""

    def __init__(self, captioner: SplicedCaptioner) -> None:
        self.module = captioner.model
        self.tokenizer = captioner.tokenizer
        self.before, self.after = captioner.prompt_ids
        stop_text = captioner.stop_text
        self.end_ids = self.encode(stop_text)[-1:] if stop_text else list(captioner.stop_ids[:1])

    def encode(self, text: str) -> list[int]:
        if isinstance(self.tokenizer, QwenTokenizer):
            return self.tokenizer.encode(text)
        return encode(self.tokenizer, text)

    def encode_images(self, pixel_values: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.module.image_features(pixel_values)
        return features

    def caption_logits(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        table = self.module.language_model.get_input_embeddings()
        before, after = (table(torch.tensor(ids)) for ids in (self.before, self.after))
        inputs_embeds = torch.cat([splice(before, features, after), table(targets)], dim=1)
        count = targets.shape[1]
        output = self.module.language_model(inputs_embeds=inputs_embeds, logits_to_keep=count + 1)
        logits: torch.Tensor = output.logits[:, :-1]
        return logits


class TrainableOtter(TrainableModel):
    """Otter, whose language model reads the latents of an image by cross-attention."""

    def __init__(self, captioner: OtterCaptioner) -> None:
        self.module = captioner.model
        self.tokenizer = captioner.tokenizer
        self.prompt = captioner.prompt
        self.end_ids = list(captioner.stop_ids[:1])

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def encode_images(self, pixel_values: torch.Tensor) -> torch.Tensor:
        self.module.set_images(pixel_values)
        latents: torch.Tensor = self.module.media_context.latents
        return latents

    def caption_logits(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        prompt = torch.tensor(self.prompt).expand(targets.shape[0], -1)
        input_ids = torch.cat([prompt, targets], dim=1)
        logits: torch.Tensor = self.module.lang_encoder(input_ids=input_ids).logits
        return logits[:, len(self.prompt) - 1 : -1]


def load_trainable(family: str, folder: Path) -> TrainableModel:
    """Load a checkpoint for training, with the preset `paper`, in float32 on the CPU."""
    settings = replace(FAMILIES[family].presets["paper"], dtype="float32")
    captioner = FAMILIES[family].load(str(folder), settings, "cpu")
    if isinstance(captioner, OtterCaptioner):
        model: TrainableModel = TrainableOtter(captioner)
    elif isinstance(captioner, SplicedCaptioner):
        model = TrainableSplicedModel(captioner)
    else:
        raise TypeError(f"{family} cannot be trained")
    make_trainable(model.module)
    return model


def make_trainable(model: nn.Module) -> None:
    """Replace the tensors of a captioner's model, which take no gradient, by copies that do.

    Captioners make them in torch's inference mode. Tied parameters stay tied.
    """
    copies: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                copies.setdefault(id(parameter), nn.Parameter(parameter.detach().clone()))
                module._parameters[name] = copies[id(parameter)]
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.clone()
