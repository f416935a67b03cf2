"""Modules of transformers that several families share, in the sizes of their checkpoint.

They are built on the meta device, without memory; `assembly` fills them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from engine.captioners.checkpoints.weights import (
    Weights,
    count_layers,
    head_count,
    image_side,
    tensor_shape,
)

CLIP_HEAD_DIM = 64
"""Width of an attention head in OpenAI's CLIP models."""
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
"""Keys of config.json that are handed on to transformers' `LlamaConfig`."""


def build_llama(config: Mapping[str, Any]) -> LlamaForCausalLM:
    """Return Llama on the meta device, for a config.json of any version of transformers."""
    theta = config.get("rope_theta") or (config.get("rope_parameters") or {}).get("rope_theta")
    sizes = {key: config[key] for key in LLAMA_KEYS if config.get(key) is not None}
    rope = {"rope_type": "default", "rope_theta": float(theta or 10000.0)}
    scaling = config.get("rope_scaling")
    if scaling:
        rope |= {key: value for key, value in scaling.items() if key != "type"}
        rope["rope_type"] = scaling.get("rope_type", scaling.get("type", "default"))
    with torch.device("meta"):
        return LlamaForCausalLM(LlamaConfig(**sizes, rope_parameters=rope))


def build_clip_tower(
    weights: Weights, prefix: str, config: Mapping[str, Any], layer: int, path: Path
) -> CLIPVisionModel:
    """Return CLIP's ViT on the meta device, without the layers whose output is not used.

    Its `last_hidden_state` is `hidden_states[layer]` of the complete tower (-1 is the last),
    without the final norm. Sizes are those of the weights under `prefix`; `config` is CLIP's
    config.json, or empty. Raises `CheckpointError`, which names `path`.
    """
    config = config.get("vision_config", config)
    width, _, patch, _ = tensor_shape(weights, f"{prefix}embeddings.patch_embedding.weight", path)
    positions = tensor_shape(weights, f"{prefix}embeddings.position_embedding.weight", path)[0]
    hidden = tensor_shape(weights, f"{prefix}encoder.layers.0.mlp.fc1.weight", path)[0]
    depth = clip_depth(weights, prefix, config)
    tower_config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=hidden,
        num_hidden_layers=depth + 1 + layer,
        num_attention_heads=config.get("num_attention_heads") or head_count(width, CLIP_HEAD_DIM),
        image_size=image_side(positions - 1, patch),
        patch_size=patch,
        hidden_act=config.get("hidden_act", "quick_gelu"),
        layer_norm_eps=config.get("layer_norm_eps", 1e-5),
    )
    with torch.device("meta"):
        tower = CLIPVisionModel(tower_config)
    tower.post_layernorm = nn.Identity()
    return tower


def clip_depth(weights: Weights, prefix: str, config: Mapping[str, Any]) -> int:
    """Return the number of layers of the complete tower."""
    config = config.get("vision_config", config)
    return config.get("num_hidden_layers") or count_layers(weights, f"{prefix}encoder.layers.")


def unread_layers_pattern(depth: int, layer: int) -> str:
    """Return a pattern of the keys of the layers that `build_clip_tower` leaves out.

    `depth` is that of the complete tower. The pattern matches nothing if no layer is left out.
    """
    numbers = "|".join(str(number) for number in range(depth + 1 + layer, depth))
    return rf"encoder\.layers\.({numbers})\..*" if numbers else "(?!)"
