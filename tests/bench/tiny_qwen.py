"""A tiny Qwen2.5-VL with random weights that keeps as much of a picture as the published ones."""

from __future__ import annotations

from pathlib import Path

from tests.engine.captioners.families.hf_truth.making import (
    Tiny,
    chatml,
    configured,
    language,
    tokens,
    write,
)
from tests.engine.captioners.families.hf_truth.qwen_like import (
    IMAGE,
    PAD,
    qwen_ids,
    qwen_images,
    rope,
)

VISION = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_heads": 4,
    "out_hidden_size": 192,
    "fullatt_block_indexes": [3],
    "depth": 4,
    "patch_size": 14,
}
LANGUAGE = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32_768,
    "head_dim": 32,
}
PIXELS = {"min_pixels": 4 * 28 * 28, "max_pixels": 16_384 * 28 * 28}
"""Those of Qwen2.5-VL-7B's preprocessor_config.json."""


def write_tiny_qwen(folder: Path) -> Path:
    """Write the checkpoint and return its folder."""
    marks = ("<|im_start|>", "<|vision_start|>", "<|vision_end|>", PAD, "<|video_pad|>")
    made = tokens(*marks, eos="<|im_end|>", pad="<|endoftext|>")
    text = language(made, rope_parameters=rope(mrope_section=[4, 6, 6])) | LANGUAGE
    tiny = Tiny(
        config=configured("qwen2_5_vl", text_config=text, vision_config=VISION, **qwen_ids(made)),
        tokenizer=made,
        images=qwen_images(14) | PIXELS | {"processor_class": "Qwen2_5_VLProcessor"},
        template=chatml(IMAGE, "You are a helpful assistant."),
        generation={"eos_token_id": [made.eos_token_id], "pad_token_id": made.pad_token_id},
    )
    return write(tiny, folder)
