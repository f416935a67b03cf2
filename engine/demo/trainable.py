"""A family's model while it is trained: loaded by the captioner's own loader, in float32."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.captioners.families.otter import Otter
from engine.captioners.families.spliced import Spliced
from engine.captioners.generation.generate import splice
from engine.captioners.preprocessing.prompts import encode
from engine.captioners.registry import FAMILIES


class Pupil(ABC):
    """`begin`s of the layouts leave weights to be trained; `model` holds them."""

    model: Any
    end: list[int]
    """What a caption ends with."""

    @abstractmethod
    def encode(self, text: str) -> list[int]: ...

    @abstractmethod
    def see(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) to the features (B, n, D) through which the language model sees."""

    @abstractmethod
    def say(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Logits (B, n, words) of the `targets` (B, n) that follow the prompt."""


class SplicedPupil(Pupil):
    def __init__(self, captioner: Spliced) -> None:
        self.model = captioner.model
        self.tokenizer = captioner.tokenizer
        self.before, self.after = captioner.prompt_ids
        stop = captioner.stop_text
        self.end = self.encode(stop)[-1:] if stop else list(captioner.stop_ids[:1])

    def encode(self, text: str) -> list[int]:
        if hasattr(self.tokenizer, "ranks"):
            found: list[int] = self.tokenizer.encode(text)
            return found
        return encode(self.tokenizer, text)

    def see(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.image_features(pixels)
        return features

    def say(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        table = self.model.language_model.get_input_embeddings()
        before, after = (table(torch.tensor(ids)) for ids in (self.before, self.after))
        embeddings = torch.cat([splice(before, features, after), table(targets)], dim=1)
        count = targets.shape[1]
        found = self.model.language_model(inputs_embeds=embeddings, logits_to_keep=count + 1)
        logits: torch.Tensor = found.logits[:, :-1]
        return logits


class OtterPupil(Pupil):
    def __init__(self, captioner: Otter) -> None:
        self.model = captioner.model
        self.tokenizer = captioner.tokenizer
        self.prompt = captioner.prompt
        self.end = list(captioner.stop_ids[:1])

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def see(self, pixels: torch.Tensor) -> torch.Tensor:
        self.model.see(pixels)
        latents: torch.Tensor = self.model.look.latents
        return latents

    def say(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        prompt = torch.tensor(self.prompt).expand(targets.shape[0], -1)
        ids = torch.cat([prompt, targets], dim=1)
        found: torch.Tensor = self.model.lang_encoder(input_ids=ids).logits
        return found[:, len(self.prompt) - 1 : -1]


def load(family: str, folder: Path) -> Pupil:
    settings = replace(FAMILIES[family].presets["paper"], dtype="float32")
    captioner = FAMILIES[family].load(str(folder), settings, "cpu")
    if isinstance(captioner, Otter):
        pupil: Pupil = OtterPupil(captioner)
    elif isinstance(captioner, Spliced):
        pupil = SplicedPupil(captioner)
    else:
        raise TypeError(f"{family} cannot be trained")
    make_trainable(pupil.model)
    return pupil


def make_trainable(model: nn.Module) -> None:
    """Captioners hold inference tensors, which no gradient can reach: they become their copies."""
    copies: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, held in module._parameters.items():
            if held is not None:
                copies.setdefault(id(held), nn.Parameter(held.detach().clone()))
                module._parameters[name] = copies[id(held)]
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.clone()
