"""Parts of transformers that several families share, sized by their checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from engine.captioners.checkpoints.weights import Weights, count_layers, head_count, shape, side

CLIP_HEAD_WIDTH = 64
LLAMA_KEYS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "hidden_act",
    "max_position_embeddings",
    "rms_norm_eps",
    "head_dim",
)


def llama(config: Mapping[str, Any]) -> LlamaForCausalLM:
    """Llama on the meta device, of a config.json from any version of transformers."""
    theta = config.get("rope_theta") or (config.get("rope_parameters") or {}).get("rope_theta")
    sizes = {key: config[key] for key in LLAMA_KEYS if config.get(key) is not None}
    rope = {"rope_type": "default", "rope_theta": float(theta or 10000.0)}
    scaling = config.get("rope_scaling")
    if scaling:
        rope |= {key: value for key, value in scaling.items() if key != "type"}
        rope["rope_type"] = scaling.get("rope_type", scaling.get("type", "default"))
    with torch.device("meta"):
        return LlamaForCausalLM(LlamaConfig(**sizes, rope_parameters=rope))


def clip_tower(
    weights: Weights, prefix: str, config: Mapping[str, Any], layer: int, where: Path
) -> CLIPVisionModel:
    """CLIP's ViT on the meta device, only as deep as it is read.

    Its `last_hidden_state` is `hidden_states[layer]` of the whole tower (-1 is the last), without
    the final norm. Sizes are those of the weights under `prefix`; `config` is CLIP's config.json
    where there is one. Raises `CheckpointError`.
    """
    config = config.get("vision_config", config)
    width, _, patch, _ = shape(weights, f"{prefix}embeddings.patch_embedding.weight", where)
    places = shape(weights, f"{prefix}embeddings.position_embedding.weight", where)[0]
    hidden = shape(weights, f"{prefix}encoder.layers.0.mlp.fc1.weight", where)[0]
    depth = clip_depth(weights, prefix, config)
    made = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=hidden,
        num_hidden_layers=depth + 1 + layer,
        num_attention_heads=config.get("num_attention_heads") or head_count(width, CLIP_HEAD_WIDTH),
        image_size=side(places - 1, patch),
        patch_size=patch,
        hidden_act=config.get("hidden_act", "quick_gelu"),
        layer_norm_eps=config.get("layer_norm_eps", 1e-5),
    )
    with torch.device("meta"):
        tower = CLIPVisionModel(made)
    tower.post_layernorm = nn.Identity()
    return tower


def clip_depth(weights: Weights, prefix: str, config: Mapping[str, Any]) -> int:
    """Layers of the whole tower."""
    config = config.get("vision_config", config)
    return config.get("num_hidden_layers") or count_layers(weights, f"{prefix}encoder.layers.")


def unread_layers(depth: int, layer: int) -> str:
    """A pattern of the layers that `clip_tower` leaves out; it matches nothing if there are none"""
    numbers = "|".join(str(number) for number in range(depth + 1 + layer, depth))
    return rf"encoder\.layers\.({numbers})\..*" if numbers else "(?!)"
