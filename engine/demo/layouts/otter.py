"""The demo Otter in the official layout: CLIP, perceiver and MPT with gated cross-attention."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch

from engine.captioners.checkpoints.assembly import by_rules
from engine.captioners.checkpoints.weights import Weights
from engine.captioners.families.otter import PAD_TOKEN, SPECIAL_TOKENS, TOWER, OtterModel
from engine.demo.layouts.parts import (
    Shapes,
    half,
    linear,
    norm,
    trained_tower,
    unassemble,
    untrained,
)
from engine.demo.tokenizers import save_neox

WIDTH, VISION_DEPTH, HEADS = 128, 3, 4
LATENTS, PERCEIVER_DEPTH, INNER = 8, 1, 128
MPT_DEPTH, EVERY = 2, 1
SEQUENCE = 256
EXPANSION = 4
"""Of MPT; transformers knows no other."""


def begin(folder: Path, corpus: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    words = save_neox(corpus, folder) + len((*SPECIAL_TOKENS, PAD_TOKEN))
    config = {
        "model_type": "otter",
        "architectures": ["OtterForConditionalGeneration"],
        "cross_attn_every_n_layers": EVERY,
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_act": "quick_gelu",
            "num_attention_heads": HEADS,
        },
        "text_config": {
            "model_type": "mpt",
            "architectures": ["MPTForCausalLM"],
            "d_model": WIDTH,
            "n_heads": HEADS,
            "n_layers": MPT_DEPTH,
            "expansion_ratio": EXPANSION,
            "max_seq_len": SEQUENCE,
            "attn_config": {"alibi": True, "alibi_bias_max": 8, "qk_ln": False},
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    unread = f"encoder.layers.{VISION_DEPTH}."
    tower = {
        f"{TOWER}{key}": value
        for key, value in trained_tower().items()
        if not key.startswith(unread)
    }
    write(folder, tower | untrained(perceiver() | mpt(words)))


def feed_forward(key: str, inner: int) -> Shapes:
    return (
        norm(f"{key}.0", WIDTH)
        | linear(f"{key}.1", WIDTH, inner, bias=False)
        | linear(f"{key}.3", inner, WIDTH, bias=False)
    )


def attention(key: str) -> Shapes:
    return (
        linear(f"{key}to_q", WIDTH, INNER, bias=False)
        | linear(f"{key}to_kv", WIDTH, 2 * INNER, bias=False)
        | linear(f"{key}to_out", INNER, WIDTH, bias=False)
    )


def perceiver() -> Shapes:
    found: Shapes = {"perceiver.latents": (LATENTS, WIDTH)} | norm("perceiver.norm", WIDTH)
    for number in range(PERCEIVER_DEPTH):
        layer = f"perceiver.layers.{number}."
        found |= norm(f"{layer}norm_media", WIDTH) | norm(f"{layer}norm_latents", WIDTH)
        found |= attention(layer) | feed_forward(f"{layer}feed_forward", 2 * WIDTH)
    return found


def mpt(words: int) -> Shapes:
    prefix = "lang_encoder.transformer."
    found: Shapes = {f"{prefix}wte.weight": (words, WIDTH)}
    found |= norm(f"{prefix}norm_f", WIDTH, bias=False)
    for number in range(MPT_DEPTH):
        layer = f"{prefix}blocks.{number}.decoder_layer."
        found |= norm(f"{layer}norm_1", WIDTH, bias=False)
        found |= norm(f"{layer}norm_2", WIDTH, bias=False)
        found |= linear(f"{layer}attn.Wqkv", WIDTH, 3 * WIDTH, bias=False)
        found |= linear(f"{layer}attn.out_proj", WIDTH, WIDTH, bias=False)
        found |= linear(f"{layer}ffn.up_proj", WIDTH, EXPANSION * WIDTH, bias=False)
        found |= linear(f"{layer}ffn.down_proj", EXPANSION * WIDTH, WIDTH, bias=False)
        if (number + 1) % EVERY == 0:
            gated = f"{prefix}blocks.{number}.gated_cross_attn_layer."
            found |= {f"{gated}attn_gate": (1,), f"{gated}ff_gate": (1,)}
            found |= norm(f"{gated}attn.norm", WIDTH) | attention(f"{gated}attn.")
            found |= feed_forward(f"{gated}feed_forward", WIDTH)
    return found


def save(model: OtterModel, folder: Path) -> None:
    write(folder, unassemble(model, by_rules([(r"vision_encoder\.", TOWER)])))


def write(folder: Path, weights: Weights) -> None:
    torch.save(half(weights), folder / "pytorch_model.bin")
