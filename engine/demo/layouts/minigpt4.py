"""The demo MiniGPT-4 in the official files: EVA ViT, Q-Former, projection, folder of Vicuna."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch

from engine.captioners.checkpoints.weights import Weights
from engine.captioners.families.minigpt4 import BLIP2, EVA, MiniGPT4Model, official_recipe
from engine.demo.layouts.parts import (
    Shapes,
    demo_llava_tower,
    draw_weights,
    linear_shapes,
    norm_shapes,
    to_float16,
    weights_by_key,
)
from engine.demo.tokenizers import save_sentencepiece

PROJECTION = "prerained_minigpt4_7b.pth"
"""The official file of the projection, spelled so."""
WIDTH, DEPTH, HEADS = 128, 3, 4
QUERIES, QFORMER_DEPTH, QFORMER_INNER = 8, 2, 192
LLAMA_DEPTH, LLAMA_INNER = 3, 256


def write_untrained(folder: Path, corpus: Iterable[str]) -> None:
    """Write all files of a MiniGPT-4 checkpoint; only the ViT is trained."""
    vicuna = folder / "vicuna"
    vicuna.mkdir(parents=True, exist_ok=True)
    vocabulary_size = save_sentencepiece(corpus, ["###"], vicuna)
    llama = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": vocabulary_size,
        "hidden_size": WIDTH,
        "intermediate_size": LLAMA_INNER,
        "num_hidden_layers": LLAMA_DEPTH,
        "num_attention_heads": HEADS,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
    }
    # The official code has these figures in itself, and no shape of a weight shows them.
    config = {
        "vit": {"depth": DEPTH, "num_heads": HEADS},
        "qformer": {"num_attention_heads": HEADS},
    }
    for path, values in ((vicuna, llama), (folder, config)):
        (path / "config.json").write_text(json.dumps(values, indent=2) + "\n")
    write_weights(
        folder, eva_weights() | draw_weights(qformer_shapes() | llama_shapes(vocabulary_size))
    )


def eva_weights() -> Weights:
    """Return the tower of the demo LLaVA as an EVA ViT, whose attention keys have no bias."""
    tower = demo_llava_tower()
    weights: Weights = {
        "cls_token": tower["embeddings.class_embedding"].view(1, 1, -1),
        "pos_embed": tower["embeddings.position_embedding.weight"][None],
        "patch_embed.proj.weight": tower["embeddings.patch_embedding.weight"],
        "patch_embed.proj.bias": torch.zeros(WIDTH),
    }
    for block in range(DEPTH):
        of, to = f"encoder.layers.{block}.", f"blocks.{block}."
        query, key, value = (tower[f"{of}self_attn.{part}_proj.weight"] for part in "qkv")
        weights[f"{to}attn.qkv.weight"] = torch.cat([query, key, value])
        weights[f"{to}attn.q_bias"] = tower[f"{of}self_attn.q_proj.bias"]
        weights[f"{to}attn.v_bias"] = tower[f"{of}self_attn.v_proj.bias"]
        for kind in ("weight", "bias"):
            weights[f"{to}attn.proj.{kind}"] = tower[f"{of}self_attn.out_proj.{kind}"]
            for part in ("1", "2"):
                weights[f"{to}norm{part}.{kind}"] = tower[f"{of}layer_norm{part}.{kind}"]
                weights[f"{to}mlp.fc{part}.{kind}"] = tower[f"{of}mlp.fc{part}.{kind}"]
    return weights


def qformer_shapes() -> Shapes:
    shapes: Shapes = {"query_tokens": (1, QUERIES, WIDTH)}
    shapes |= norm_shapes("ln_vision", WIDTH) | norm_shapes(
        "Qformer.bert.embeddings.LayerNorm", WIDTH
    )
    for number in range(QFORMER_DEPTH):
        layer = f"Qformer.bert.encoder.layer.{number}."
        for kind in ("attention", "crossattention"):
            if kind == "attention" or number % 2 == 0:
                for part in ("query", "key", "value"):
                    shapes |= linear_shapes(f"{layer}{kind}.self.{part}", WIDTH, WIDTH)
                shapes |= linear_shapes(f"{layer}{kind}.output.dense", WIDTH, WIDTH)
                shapes |= norm_shapes(f"{layer}{kind}.output.LayerNorm", WIDTH)
        shapes |= linear_shapes(f"{layer}intermediate_query.dense", WIDTH, QFORMER_INNER)
        shapes |= linear_shapes(f"{layer}output_query.dense", QFORMER_INNER, WIDTH)
        shapes |= norm_shapes(f"{layer}output_query.LayerNorm", WIDTH)
    return shapes


def llama_shapes(vocabulary_size: int) -> Shapes:
    shapes: Shapes = {
        "model.embed_tokens.weight": (vocabulary_size, WIDTH),
        "lm_head.weight": (vocabulary_size, WIDTH),
    }
    shapes |= norm_shapes("model.norm", WIDTH, bias=False) | linear_shapes(
        "llama_proj", WIDTH, WIDTH
    )
    for number in range(LLAMA_DEPTH):
        layer = f"model.layers.{number}."
        for part in "qkvo":
            shapes |= linear_shapes(f"{layer}self_attn.{part}_proj", WIDTH, WIDTH, bias=False)
        for part in ("gate", "up"):
            shapes |= linear_shapes(f"{layer}mlp.{part}_proj", WIDTH, LLAMA_INNER, bias=False)
        shapes |= linear_shapes(f"{layer}mlp.down_proj", LLAMA_INNER, WIDTH, bias=False)
        shapes |= norm_shapes(f"{layer}input_layernorm", WIDTH, bias=False)
        shapes |= norm_shapes(f"{layer}post_attention_layernorm", WIDTH, bias=False)
    return shapes


def save_trained(model: MiniGPT4Model, folder: Path) -> None:
    """Replace the weights of a checkpoint by the trained ones, in float16."""
    weights = weights_by_key(model, official_recipe)
    for number, layer in enumerate(model.vision.encoder.layers):
        query, _, value = layer.self_attn.qkv.bias.chunk(3)
        weights[f"blocks.{number}.attn.q_bias"] = query
        weights[f"blocks.{number}.attn.v_bias"] = value
    write_weights(folder, weights)


def write_weights(folder: Path, weights: Weights) -> None:
    """Write each tensor into the official file to which its key belongs, in float16."""
    weights = to_float16(weights)
    vit_prefixes = ("cls_token", "pos_embed", "patch_embed.", "blocks.")
    blip2_prefixes = ("query_tokens", "ln_vision.", "Qformer.")

    def select(prefixes: tuple[str, ...]) -> Weights:
        return {key: value for key, value in weights.items() if key.startswith(prefixes)}

    torch.save(select(vit_prefixes), folder / EVA)
    torch.save({"model": select(blip2_prefixes)}, folder / BLIP2)
    torch.save({"model": select(("llama_proj.",))}, folder / PROJECTION)
    torch.save(select(("model.", "lm_head.")), folder / "vicuna" / "pytorch_model.bin")
