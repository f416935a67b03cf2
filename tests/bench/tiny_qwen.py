"""A tiny Qwen2.5-VL with random weights that keeps as much of a picture as the published ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.engine.captioners.families.hf_truth.making import language, write
from tests.engine.captioners.families.hf_truth.qwen_like import WINDOWED, qwen2, rope

VISION = WINDOWED | {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_heads": 4,
    "out_hidden_size": 192,
    "fullatt_block_indexes": [3],
    "depth": 4,
}
LANGUAGE = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32_768,
}
PIXELS = {"min_pixels": 4 * 28 * 28, "max_pixels": 16_384 * 28 * 28}
"""Those of Qwen2.5-VL-7B's preprocessor_config.json."""


def write_tiny_qwen(folder: Path) -> Path:
    """Write the checkpoint and return its folder."""
    tiny = qwen2("qwen2_5_vl", "Qwen2_5_VLProcessor", VISION)
    text = language(tiny.tokenizer, rope_parameters=rope(mrope_section=[4, 6, 6])) | LANGUAGE
    del text["head_dim"]
    values = tiny.config.to_dict() | {"text_config": text, "vision_config": VISION}
    config = type(tiny.config)(**values)
    return write(replace(tiny, config=config, images=tiny.images | PIXELS), folder)
