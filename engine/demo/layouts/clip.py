"""The demo CLIP: CLIP's parts in transformers' layout, 1 million parameters.

They are a ViT of 64 patches of 12 x 12 pixels, which starts from the demo LLaVA's, and a causal
text encoder of 77 positions with CLIP's kind of byte-pair vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer

from engine.demo.layouts.llava import PATCH, SIDE, build_image_processor
from engine.demo.layouts.parts import demo_llava_tower

LENGTH = 77
"""The most tokens of a text, with those that mark its start and end."""
MERGES = 300
"""Merges of the vocabulary: enough for the words of scenes."""
WIDTH = 128
"""Width of both encoders, and of what is compared."""
PLACE_LENGTH = 8.0
"""Length of what marks a place at the edge. It changes what the layers make of patches by 7 %."""
COVARIANCE_WEIGHT = 0.3
"""Weight of how embeddings vary beside that of what layers read."""
START, END = "<|startoftext|>", "<|endoftext|>"
SUFFIX = "</w>"
"""The end of tokens that end a word."""


def build_tokenizer(corpus: Iterable[str]) -> CLIPTokenizer:
    """Return a tokenizer of CLIP's kind: bytes, bytes that end a word, merges of the corpus.

    The order of tokens is that of CLIP's `simple_tokenizer.py`.
    """
    plain = CLIPTokenizer().backend_tokenizer
    bpe = Tokenizer(models.BPE(end_of_word_suffix=SUFFIX))
    bpe.normalizer, bpe.pre_tokenizer = plain.normalizer, plain.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=2 * len(alphabet) + MERGES, end_of_word_suffix=SUFFIX, show_progress=False
    )
    bpe.train_from_iterator(corpus, trainer)
    merges = [tuple(it) for it in json.loads(bpe.to_str())["model"]["merges"]][:MERGES]
    tokens = [*alphabet, *(f"{it}{SUFFIX}" for it in alphabet), *map("".join, merges), START, END]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocabulary, merges, model_max_length=LENGTH)


def build_model(tokenizer: CLIPTokenizer, pixels: torch.Tensor) -> CLIPModel:
    """Return the untrained model, with the demo LLaVA's trained tower.

    `pixels` are images (N, 3, S, S) such as it will see.
    """
    encoder = {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_attention_heads": 4,
        "projection_dim": WIDTH,
    }
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    vision = encoder | {"num_hidden_layers": 4, "image_size": SIDE, "patch_size": PATCH}
    text = encoder | ends | {"num_hidden_layers": 2, "max_position_embeddings": LENGTH}
    text |= {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))
    model.vision_model.load_state_dict(demo_llava_tower(), strict=False)
    mark_places(model.vision_model, pixels)
    return model


@torch.no_grad()
def mark_places(tower: Any, pixels: torch.Tensor) -> None:
    """Write the place of each patch into two directions of its embedding, for the last layer.

    The demo LLaVA's patches do not tell where they are, for a language model reads them in order.
    The directions are those that the layers before the last read least, and in which embeddings
    vary least.
    """
    read = torch.zeros(WIDTH, WIDTH)
    for layer in tower.encoder.layers[:-1]:
        attention, mlp = layer.self_attn, layer.mlp
        for norm, part in (
            (layer.layer_norm1, attention.q_proj),
            (layer.layer_norm1, attention.k_proj),
            (layer.layer_norm1, attention.v_proj),
            (layer.layer_norm2, mlp.fc1),
        ):
            weight = part.weight * norm.weight
            read += weight.T @ weight
    varied = torch.cov(tower.pre_layrnorm(tower.embeddings(pixels))[:, 1:].flatten(0, 1).T)
    both = read / read.trace() + COVARIANCE_WEIGHT * varied / varied.trace()
    directions = torch.linalg.eigh(both).eigenvectors[:, :2] / tower.pre_layrnorm.weight[:, None]
    centres = (torch.arange(SIDE // PATCH) + 0.5) * 2 * PATCH / SIDE - 1
    places = torch.cartesian_prod(centres, centres)
    tower.embeddings.position_embedding.weight[1:] += PLACE_LENGTH * places @ directions.T


def save(model: CLIPModel, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write all files of the checkpoint as `save_pretrained` does, weights in float16."""
    model.half().save_pretrained(folder)
    CLIPProcessor(build_image_processor(), tokenizer).save_pretrained(folder)
