"""The demo Qwen-VL in the official layout: a ViT without class token, the resampler, and Qwen."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch

from engine.captioners.checkpoints.weights import Weights
from engine.captioners.families.qwen_tokenizer import SPECIAL_TOKENS
from engine.captioners.families.qwen_vl import QwenVLModel, recipe
from engine.demo.layouts.parts import (
    Shapes,
    demo_llava_tower,
    draw_weights,
    linear_shapes,
    norm_shapes,
    to_float16,
    weights_by_key,
)
from engine.demo.tokenizers import save_tiktoken

WIDTH, DEPTH, HEADS = 128, 3, 4
SIDE = 96
GRID = 4
"""The resampler has GRID x GRID queries."""
QWEN_DEPTH, QWEN_INNER = 3, 224
VISUAL = "transformer.visual."
"""Prefix of the vision side's keys."""
POOL = f"{VISUAL}attn_pool"
"""Prefix of the resampler's keys."""


def write_untrained(folder: Path, corpus: Iterable[str]) -> None:
    """Write all files of a Qwen-VL checkpoint; only the ViT is trained."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary_size = save_tiktoken(corpus, folder / "qwen.tiktoken") + len(SPECIAL_TOKENS)
    config = {
        "model_type": "qwen",
        "architectures": ["QWenLMHeadModel"],
        "vocab_size": vocabulary_size,
        "hidden_size": WIDTH,
        "intermediate_size": 2 * QWEN_INNER,
        "num_hidden_layers": QWEN_DEPTH,
        "num_attention_heads": HEADS,
        "kv_channels": WIDTH // HEADS,
        "layer_norm_epsilon": 1e-6,
        "rotary_emb_base": 10000,
        "seq_length": 256,
        "no_bias": True,
        "visual": {
            "heads": HEADS,
            "image_size": SIDE,
            "image_start_id": vocabulary_size - 3,
            "layers": DEPTH,
            "n_queries": GRID**2,
            "output_dim": WIDTH,
            "patch_size": 12,
            "width": WIDTH,
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_weights(
        folder,
        vit_weights()
        | draw_weights(resampler_shapes() | qwen_shapes(vocabulary_size))
        | {f"{POOL}.pos_embed": position_embeddings()},
    )


def vit_weights() -> Weights:
    """Return the tower of the demo LLaVA without its class token.

    Queries, keys and values are in Megatron's order: those of one head together.
    """
    tower = demo_llava_tower()
    weights: Weights = {
        f"{VISUAL}conv1.weight": tower["embeddings.patch_embedding.weight"],
        f"{VISUAL}positional_embedding": tower["embeddings.position_embedding.weight"][1:],
    }
    for kind in ("weight", "bias"):
        weights[f"{VISUAL}ln_pre.{kind}"] = tower[f"pre_layrnorm.{kind}"]
        for block in range(DEPTH):
            of, to = f"encoder.layers.{block}.", f"{VISUAL}transformer.resblocks.{block}."
            parts = [tower[f"{of}self_attn.{part}_proj.{kind}"] for part in "qkv"]
            by_head = [part.reshape(HEADS, -1, *part.shape[1:]) for part in parts]
            weights[f"{to}attn.in_proj.{kind}"] = torch.cat(by_head, dim=1).flatten(0, 1)
            weights[f"{to}attn.out_proj.{kind}"] = tower[f"{of}self_attn.out_proj.{kind}"]
            weights[f"{to}mlp.c_fc.{kind}"] = tower[f"{of}mlp.fc1.{kind}"]
            weights[f"{to}mlp.c_proj.{kind}"] = tower[f"{of}mlp.fc2.{kind}"]
            for part in ("1", "2"):
                weights[f"{to}ln_{part}.{kind}"] = tower[f"{of}layer_norm{part}.{kind}"]
    return weights


def position_embeddings() -> torch.Tensor:
    """Return the embeddings (GRID * GRID, WIDTH) of the positions in the grid.

    They are sines and cosines of column and row, as in the official code.
    """
    quarter = WIDTH // 4
    frequencies = 10000.0 ** -(torch.arange(quarter) / quarter)
    rows, columns = torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij")
    parts = []
    for positions in (columns.flatten(), rows.flatten()):
        angles = positions[:, None] * frequencies
        parts += [angles.sin(), angles.cos()]
    return torch.cat(parts, dim=1)


def resampler_shapes() -> Shapes:
    shapes: Shapes = {f"{POOL}.query": (GRID**2, WIDTH), f"{VISUAL}proj": (WIDTH, WIDTH)}
    shapes |= linear_shapes(f"{POOL}.kv_proj", WIDTH, WIDTH, bias=False)
    shapes |= {f"{POOL}.attn.in_proj_weight": (3 * WIDTH, WIDTH)}
    shapes |= {f"{POOL}.attn.in_proj_bias": (3 * WIDTH,)}
    shapes |= linear_shapes(f"{POOL}.attn.out_proj", WIDTH, WIDTH)
    return (
        shapes
        | norm_shapes(f"{POOL}.ln_q", WIDTH)
        | norm_shapes(f"{POOL}.ln_kv", WIDTH)
        | norm_shapes(f"{VISUAL}ln_post", WIDTH)
    )


def qwen_shapes(vocabulary_size: int) -> Shapes:
    shapes: Shapes = {
        "transformer.wte.weight": (vocabulary_size, WIDTH),
        "lm_head.weight": (vocabulary_size, WIDTH),
    }
    shapes |= norm_shapes("transformer.ln_f", WIDTH, bias=False)
    for number in range(QWEN_DEPTH):
        layer = f"transformer.h.{number}."
        shapes |= norm_shapes(f"{layer}ln_1", WIDTH, bias=False) | norm_shapes(
            f"{layer}ln_2", WIDTH, bias=False
        )
        shapes |= linear_shapes(f"{layer}attn.c_attn", WIDTH, 3 * WIDTH)
        shapes |= linear_shapes(f"{layer}attn.c_proj", WIDTH, WIDTH, bias=False)
        shapes |= linear_shapes(f"{layer}mlp.w1", WIDTH, QWEN_INNER, bias=False)
        shapes |= linear_shapes(f"{layer}mlp.w2", WIDTH, QWEN_INNER, bias=False)
        shapes |= linear_shapes(f"{layer}mlp.c_proj", QWEN_INNER, WIDTH, bias=False)
    return shapes


def save_trained(model: QwenVLModel, folder: Path) -> None:
    """Replace the weights of a checkpoint by the trained ones, in float16."""
    weights = weights_by_key(model, recipe)
    for number, layer in enumerate(model.language_model.model.layers):
        attention = layer.self_attn
        for kind in ("weight", "bias"):
            parts = [getattr(attention, f"{part}_proj") for part in "qkv"]
            weights[f"transformer.h.{number}.attn.c_attn.{kind}"] = torch.cat(
                [getattr(part, kind) for part in parts]
            )
    write_weights(folder, weights)


def write_weights(folder: Path, weights: Weights) -> None:
    torch.save(to_float16(weights), folder / "pytorch_model.bin")
