"""The demo MiniGPT-4 in the official files: EVA ViT, Q-Former, projection, Vicuna folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch

from engine.captioners.checkpoints.weights import Weights
from engine.captioners.families.minigpt4 import BLIP2, EVA, MiniGPT4Model, official_recipe
from engine.demo.layouts.parts import (
    Shapes,
    half,
    linear,
    norm,
    trained_tower,
    unassemble,
    untrained,
)
from engine.demo.tokenizers import save_sentencepiece

PROJECTION = "prerained_minigpt4_7b.pth"
WIDTH, DEPTH, HEADS = 128, 3, 4
QUERIES, QFORMER_DEPTH, QFORMER_INNER = 8, 2, 192
LLAMA_DEPTH, LLAMA_INNER = 3, 256


def begin(folder: Path, corpus: Iterable[str]) -> None:
    vicuna = folder / "vicuna"
    vicuna.mkdir(parents=True, exist_ok=True)
    words = save_sentencepiece(corpus, ["###"], vicuna)
    llama = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": words,
        "hidden_size": WIDTH,
        "intermediate_size": LLAMA_INNER,
        "num_hidden_layers": LLAMA_DEPTH,
        "num_attention_heads": HEADS,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
    }
    # What the official code has in its own text and the files' shapes do not tell.
    config = {
        "vit": {"depth": DEPTH, "num_heads": HEADS},
        "qformer": {"num_attention_heads": HEADS},
    }
    for path, values in ((vicuna, llama), (folder, config)):
        (path / "config.json").write_text(json.dumps(values, indent=2) + "\n")
    write(folder, eva() | untrained(qformer() | llama_shapes(words)))


def eva() -> Weights:
    """The tower of the demo LLaVA as an EVA ViT, whose keys have no bias."""
    tower = trained_tower()
    found: Weights = {
        "cls_token": tower["embeddings.class_embedding"].view(1, 1, -1),
        "pos_embed": tower["embeddings.position_embedding.weight"][None],
        "patch_embed.proj.weight": tower["embeddings.patch_embedding.weight"],
        "patch_embed.proj.bias": torch.zeros(WIDTH),
    }
    for block in range(DEPTH):
        of, to = f"encoder.layers.{block}.", f"blocks.{block}."
        query, key, value = (tower[f"{of}self_attn.{part}_proj.weight"] for part in "qkv")
        found[f"{to}attn.qkv.weight"] = torch.cat([query, key, value])
        found[f"{to}attn.q_bias"] = tower[f"{of}self_attn.q_proj.bias"]
        found[f"{to}attn.v_bias"] = tower[f"{of}self_attn.v_proj.bias"]
        for kind in ("weight", "bias"):
            found[f"{to}attn.proj.{kind}"] = tower[f"{of}self_attn.out_proj.{kind}"]
            for part in ("1", "2"):
                found[f"{to}norm{part}.{kind}"] = tower[f"{of}layer_norm{part}.{kind}"]
                found[f"{to}mlp.fc{part}.{kind}"] = tower[f"{of}mlp.fc{part}.{kind}"]
    return found


def qformer() -> Shapes:
    found: Shapes = {"query_tokens": (1, QUERIES, WIDTH)}
    found |= norm("ln_vision", WIDTH) | norm("Qformer.bert.embeddings.LayerNorm", WIDTH)
    for number in range(QFORMER_DEPTH):
        layer = f"Qformer.bert.encoder.layer.{number}."
        for kind in ("attention", "crossattention"):
            if kind == "attention" or number % 2 == 0:
                for part in ("query", "key", "value"):
                    found |= linear(f"{layer}{kind}.self.{part}", WIDTH, WIDTH)
                found |= linear(f"{layer}{kind}.output.dense", WIDTH, WIDTH)
                found |= norm(f"{layer}{kind}.output.LayerNorm", WIDTH)
        found |= linear(f"{layer}intermediate_query.dense", WIDTH, QFORMER_INNER)
        found |= linear(f"{layer}output_query.dense", QFORMER_INNER, WIDTH)
        found |= norm(f"{layer}output_query.LayerNorm", WIDTH)
    return found


def llama_shapes(words: int) -> Shapes:
    found: Shapes = {"model.embed_tokens.weight": (words, WIDTH), "lm_head.weight": (words, WIDTH)}
    found |= norm("model.norm", WIDTH, bias=False) | linear("llama_proj", WIDTH, WIDTH)
    for number in range(LLAMA_DEPTH):
        layer = f"model.layers.{number}."
        for part in "qkvo":
            found |= linear(f"{layer}self_attn.{part}_proj", WIDTH, WIDTH, bias=False)
        for part in ("gate", "up"):
            found |= linear(f"{layer}mlp.{part}_proj", WIDTH, LLAMA_INNER, bias=False)
        found |= linear(f"{layer}mlp.down_proj", LLAMA_INNER, WIDTH, bias=False)
        found |= norm(f"{layer}input_layernorm", WIDTH, bias=False)
        found |= norm(f"{layer}post_attention_layernorm", WIDTH, bias=False)
    return found


def save(model: MiniGPT4Model, folder: Path) -> None:
    weights = unassemble(model, official_recipe)
    for number, layer in enumerate(model.vision.encoder.layers):
        query, _, value = layer.self_attn.qkv.bias.chunk(3)
        weights[f"blocks.{number}.attn.q_bias"] = query
        weights[f"blocks.{number}.attn.v_bias"] = value
    write(folder, weights)


def write(folder: Path, weights: Weights) -> None:
    weights = half(weights)
    of_vit = ("cls_token", "pos_embed", "patch_embed.", "blocks.")
    of_blip2 = ("query_tokens", "ln_vision.", "Qformer.")

    def those(prefixes: tuple[str, ...]) -> Weights:
        return {key: value for key, value in weights.items() if key.startswith(prefixes)}

    torch.save(those(of_vit), folder / EVA)
    torch.save({"model": those(of_blip2)}, folder / BLIP2)
    torch.save({"model": those(("llama_proj.",))}, folder / PROJECTION)
    torch.save(those(("model.", "lm_head.")), folder / "vicuna" / "pytorch_model.bin")
