"""The demo Qwen-VL in the official layout: ViT without a class token, resampler, Qwen."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch

from engine.captioners.checkpoints.weights import Weights
from engine.captioners.families.qwen_tokenizer import SPECIAL
from engine.captioners.families.qwen_vl import QwenVLModel, recipe
from engine.demo.layouts.parts import (
    Shapes,
    half,
    linear,
    norm,
    trained_tower,
    unassemble,
    untrained,
)
from engine.demo.tokenizers import save_tiktoken

WIDTH, DEPTH, HEADS = 128, 3, 4
SIDE = 96
GRID = 4
"""The resampler reads the picture with GRID x GRID queries."""
QWEN_DEPTH, QWEN_INNER = 3, 224
VISUAL = "transformer.visual."


def begin(folder: Path, corpus: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    words = save_tiktoken(corpus, folder / "qwen.tiktoken") + len(SPECIAL)
    config = {
        "model_type": "qwen",
        "architectures": ["QWenLMHeadModel"],
        "vocab_size": words,
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
            "image_start_id": words - 3,
            "layers": DEPTH,
            "n_queries": GRID**2,
            "output_dim": WIDTH,
            "patch_size": 12,
            "width": WIDTH,
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write(folder, vit() | untrained(resampler() | qwen(words)) | {f"{POOL}.pos_embed": places()})


POOL = f"{VISUAL}attn_pool"


def vit() -> Weights:
    """The tower of the demo LLaVA without its class token, attention in Megatron's order."""
    tower = trained_tower()
    found: Weights = {
        f"{VISUAL}conv1.weight": tower["embeddings.patch_embedding.weight"],
        f"{VISUAL}positional_embedding": tower["embeddings.position_embedding.weight"][1:],
    }
    for kind in ("weight", "bias"):
        found[f"{VISUAL}ln_pre.{kind}"] = tower[f"pre_layrnorm.{kind}"]
        for block in range(DEPTH):
            of, to = f"encoder.layers.{block}.", f"{VISUAL}transformer.resblocks.{block}."
            parts = [tower[f"{of}self_attn.{part}_proj.{kind}"] for part in "qkv"]
            by_head = [part.reshape(HEADS, -1, *part.shape[1:]) for part in parts]
            found[f"{to}attn.in_proj.{kind}"] = torch.cat(by_head, dim=1).flatten(0, 1)
            found[f"{to}attn.out_proj.{kind}"] = tower[f"{of}self_attn.out_proj.{kind}"]
            found[f"{to}mlp.c_fc.{kind}"] = tower[f"{of}mlp.fc1.{kind}"]
            found[f"{to}mlp.c_proj.{kind}"] = tower[f"{of}mlp.fc2.{kind}"]
            for part in ("1", "2"):
                found[f"{to}ln_{part}.{kind}"] = tower[f"{of}layer_norm{part}.{kind}"]
    return found


def places() -> torch.Tensor:
    """Sines and cosines of the grid's rows and columns, as the official code draws them."""
    quarter = WIDTH // 4
    speed = 10000.0 ** -(torch.arange(quarter) / quarter)
    down, across = torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij")
    parts = []
    for place in (across.flatten(), down.flatten()):
        angle = place[:, None] * speed
        parts += [angle.sin(), angle.cos()]
    return torch.cat(parts, dim=1)


def resampler() -> Shapes:
    found: Shapes = {f"{POOL}.query": (GRID**2, WIDTH), f"{VISUAL}proj": (WIDTH, WIDTH)}
    found |= linear(f"{POOL}.kv_proj", WIDTH, WIDTH, bias=False)
    found |= {f"{POOL}.attn.in_proj_weight": (3 * WIDTH, WIDTH)}
    found |= {f"{POOL}.attn.in_proj_bias": (3 * WIDTH,)}
    found |= linear(f"{POOL}.attn.out_proj", WIDTH, WIDTH)
    return (
        found
        | norm(f"{POOL}.ln_q", WIDTH)
        | norm(f"{POOL}.ln_kv", WIDTH)
        | norm(f"{VISUAL}ln_post", WIDTH)
    )


def qwen(words: int) -> Shapes:
    found: Shapes = {"transformer.wte.weight": (words, WIDTH), "lm_head.weight": (words, WIDTH)}
    found |= norm("transformer.ln_f", WIDTH, bias=False)
    for number in range(QWEN_DEPTH):
        layer = f"transformer.h.{number}."
        found |= norm(f"{layer}ln_1", WIDTH, bias=False) | norm(f"{layer}ln_2", WIDTH, bias=False)
        found |= linear(f"{layer}attn.c_attn", WIDTH, 3 * WIDTH)
        found |= linear(f"{layer}attn.c_proj", WIDTH, WIDTH, bias=False)
        found |= linear(f"{layer}mlp.w1", WIDTH, QWEN_INNER, bias=False)
        found |= linear(f"{layer}mlp.w2", WIDTH, QWEN_INNER, bias=False)
        found |= linear(f"{layer}mlp.c_proj", QWEN_INNER, WIDTH, bias=False)
    return found


def save(model: QwenVLModel, folder: Path) -> None:
    weights = unassemble(model, recipe)
    for number, layer in enumerate(model.language_model.model.layers):
        attention = layer.self_attn
        for kind in ("weight", "bias"):
            parts = [getattr(attention, f"{part}_proj") for part in "qkv"]
            weights[f"transformer.h.{number}.attn.c_attn.{kind}"] = torch.cat(
                [getattr(part, kind) for part in parts]
            )
    write(folder, weights)


def write(folder: Path, weights: Weights) -> None:
    torch.save(half(weights), folder / "pytorch_model.bin")
