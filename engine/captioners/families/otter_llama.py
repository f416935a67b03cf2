"""Otter on LLaMA (Li et al., arXiv 2305.03726), OTTER-Image-LLaMA7B-LA-InContext.

The network is that of `otter_model`, around LLaMA-7B. With a KV cache the official code loses the
image after the first token of an answer, as it does on MPT; here, as without a cache, it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaForCausalLM

from engine.captioners.base import CheckpointError, LoadedCheckpoint
from engine.captioners.checkpoints.modules import build_llama
from engine.captioners.checkpoints.weights import Weights, tensor_shape
from engine.captioners.config_files import read_json
from engine.captioners.families.otter import (
    SPECIAL_TOKENS,
    OtterCaptioner,
    language_of,
    load_around,
    load_captioner,
)
from engine.captioners.families.otter_model import OtterModel
from engine.captioners.generation.cuda_graphs import capture_for
from engine.captioners.generation.otter_llama_decoder import OtterLlamaDecoder
from engine.captioners.generation.static_decoders import DecodeState
from engine.captioners.preprocessing.prompts import encode
from engine.captioners.settings import Settings

LLAMA_BLOCKS = "lang_encoder.model.layers."
"""Prefix of the keys of LLaMA's layers."""


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[OtterModel, LoadedCheckpoint]:
    """Return the model of a checkpoint folder. Raises `CheckpointError`."""
    config = read_json(folder / "config.json")
    language = language_of(folder, config)
    if language != "llama":
        hint = ": load it with --model otter" if language == "mpt" else ""
        raise CheckpointError(f"{folder} is an Otter on {language!r}, not on LLaMA{hint}")
    return load_around(llama, LLAMA_BLOCKS, folder, config, dtype, device, report)


def llama(config: Mapping[str, Any], weights: Weights, where: Path) -> LlamaForCausalLM:
    """Build LLaMA from `text_config`, with the vocabulary size of the weights.

    The official code grows the vocabulary by the special tokens.
    """
    vocab_size = tensor_shape(weights, "lang_encoder.model.embed_tokens.weight", where)[0]
    return build_llama({**config, "vocab_size": vocab_size})


class OtterLlamaCaptioner(OtterCaptioner):
    """Captions with Otter on LLaMA."""

    name = "otter-llama"
    length_key = "max_position_embeddings"

    def __init__(
        self,
        model: OtterModel,
        loaded: LoadedCheckpoint,
        tokenizer: Any,
        settings: Settings,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(model, loaded, tokenizer, settings, report)
        language_model = model.lang_encoder
        self.decoder = OtterLlamaDecoder(
            language_model,
            # Fusing would copy weights that are memory maps of the checkpoint's files.
            fuse=not self.loaded.memory_mapped,
            capture=capture_for(language_model.device, settings.graphs),
        )

    def encode_prompt(self, prompt: str) -> list[int]:
        return [self.tokenizer.bos_token_id, *encode(self.tokenizer, prompt, SPECIAL_TOKENS)]

    def make_state(self, max_rows: int, length: int) -> DecodeState:
        return self.decoder.make_state(self.prompt, self.model.image_id, max_rows, length)


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> OtterCaptioner:
    """Return the captioner of a checkpoint folder. Raises `CheckpointError`."""
    return load_captioner(OtterLlamaCaptioner, load_model, checkpoint, settings, device, report)
