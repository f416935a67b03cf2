"""The demo Otter in the official layout: CLIP, a perceiver, and MPT with gated cross-attention."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch

from engine.captioners.checkpoints.assembly import recipe_by_rules
from engine.captioners.checkpoints.weights import Weights
from engine.captioners.families.otter import PAD_TOKEN, SPECIAL_TOKENS, TOWER
from engine.captioners.families.otter_model import OtterModel
from engine.demo.layouts.parts import (
    Shapes,
    demo_llava_tower,
    draw_weights,
    linear_shapes,
    norm_shapes,
    to_float16,
    weights_by_key,
)
from engine.demo.tokenizers import save_neox

WIDTH, VISION_DEPTH, HEADS = 128, 3, 4
LATENTS, PERCEIVER_DEPTH, INNER = 8, 1, 128
MPT_DEPTH, EVERY = 2, 1
SEQUENCE = 256
EXPANSION = 4
"""Width of MPT's feed-forward layers over its own: transformers supports no other."""


def write_untrained(folder: Path, corpus: Iterable[str]) -> None:
    """Write all files of an Otter checkpoint; only the vision tower is trained."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary_size = save_neox(corpus, folder) + len((*SPECIAL_TOKENS, PAD_TOKEN))
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
        for key, value in demo_llava_tower().items()
        if not key.startswith(unread)
    }
    write_weights(folder, tower | draw_weights(perceiver_shapes() | mpt_shapes(vocabulary_size)))


def feed_forward_shapes(key: str, inner: int) -> Shapes:
    return (
        norm_shapes(f"{key}.0", WIDTH)
        | linear_shapes(f"{key}.1", WIDTH, inner, bias=False)
        | linear_shapes(f"{key}.3", inner, WIDTH, bias=False)
    )


def attention_shapes(key: str) -> Shapes:
    return (
        linear_shapes(f"{key}to_q", WIDTH, INNER, bias=False)
        | linear_shapes(f"{key}to_kv", WIDTH, 2 * INNER, bias=False)
        | linear_shapes(f"{key}to_out", INNER, WIDTH, bias=False)
    )


def perceiver_shapes() -> Shapes:
    shapes: Shapes = {"perceiver.latents": (LATENTS, WIDTH)} | norm_shapes("perceiver.norm", WIDTH)
    for number in range(PERCEIVER_DEPTH):
        layer = f"perceiver.layers.{number}."
        shapes |= norm_shapes(f"{layer}norm_media", WIDTH) | norm_shapes(
            f"{layer}norm_latents", WIDTH
        )
        shapes |= attention_shapes(layer) | feed_forward_shapes(f"{layer}feed_forward", 2 * WIDTH)
    return shapes


def mpt_shapes(vocabulary_size: int) -> Shapes:
    prefix = "lang_encoder.transformer."
    shapes: Shapes = {f"{prefix}wte.weight": (vocabulary_size, WIDTH)}
    shapes |= norm_shapes(f"{prefix}norm_f", WIDTH, bias=False)
    for number in range(MPT_DEPTH):
        layer = f"{prefix}blocks.{number}.decoder_layer."
        shapes |= norm_shapes(f"{layer}norm_1", WIDTH, bias=False)
        shapes |= norm_shapes(f"{layer}norm_2", WIDTH, bias=False)
        shapes |= linear_shapes(f"{layer}attn.Wqkv", WIDTH, 3 * WIDTH, bias=False)
        shapes |= linear_shapes(f"{layer}attn.out_proj", WIDTH, WIDTH, bias=False)
        shapes |= linear_shapes(f"{layer}ffn.up_proj", WIDTH, EXPANSION * WIDTH, bias=False)
        shapes |= linear_shapes(f"{layer}ffn.down_proj", EXPANSION * WIDTH, WIDTH, bias=False)
        if (number + 1) % EVERY == 0:
            gated = f"{prefix}blocks.{number}.gated_cross_attn_layer."
            shapes |= {f"{gated}attn_gate": (1,), f"{gated}ff_gate": (1,)}
            shapes |= norm_shapes(f"{gated}attn.norm", WIDTH) | attention_shapes(f"{gated}attn.")
            shapes |= feed_forward_shapes(f"{gated}feed_forward", WIDTH)
    return shapes


def save_trained(model: OtterModel, folder: Path) -> None:
    """Replace the weights of a checkpoint by the trained ones, in float16."""
    write_weights(folder, weights_by_key(model, recipe_by_rules([(r"vision_encoder\.", TOWER)])))


def write_weights(folder: Path, weights: Weights) -> None:
    torch.save(to_float16(weights), folder / "pytorch_model.bin")
