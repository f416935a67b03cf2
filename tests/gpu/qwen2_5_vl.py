"""A Qwen2.5-VL of 7B random parameters, captioned through the family `hf`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from engine.demo.scenes import write_scenes
from tests.engine.captioners.families.hf_truth import making, qwen_like
from tests.gpu.machine import Machine, parse_machine, report
from tests.gpu.runs import caption_project

IMAGES, IMITATED_IMAGES = 480, 4
SIZE = (640, 480)
"""Width and height of the drawn images, in pixels."""
TEXT: dict[str, Any] = {
    "vocab_size": 152064,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 128000,
    "rope_parameters": qwen_like.rope(rope_theta=1e6, mrope_section=[16, 24, 24]),
    "tie_word_embeddings": False,
}
VISION: dict[str, Any] = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "out_hidden_size": 3584,
    "patch_size": 14,
    "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31],
}
"""Sizes of Qwen/Qwen2.5-VL-7B-Instruct's config.json."""
PIXELS = {"min_pixels": 56 * 56, "max_pixels": 12845056}
"""Limits of its preprocessor_config.json."""


def main(machine: Machine) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = write_checkpoint(folder / "checkpoint", machine)
        write_scenes(folder, IMITATED_IMAGES if machine.imitates else IMAGES, 7, SIZE)
        run = caption_project(
            folder / "run", folder / "captions.json", f"hf={checkpoint}", {}, machine.spec
        )
    lost = run.records - len(run.captions)
    report("images without a caption", lost, good=lost == 0)
    report("worker", len(run.captions) / run.seconds, "images/s")
    report("first caption, after loading", run.first_caption, "s")


def write_checkpoint(folder: Path, machine: Machine) -> Path:
    """Write a checkpoint in the published layout; one of the tiny ones for an imitation."""
    tiny = qwen_like.qwen2_5_vl()
    if machine.imitates:
        return making.write(tiny, folder)
    config = making.configured(
        "qwen2_5_vl",
        text_config=TEXT,
        vision_config=VISION,
        **qwen_like.qwen_ids(tiny.tokenizer),
    )
    with torch.device(machine.device):
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    making.save(tiny, model, folder)
    images = tiny.images | PIXELS
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    return folder


if __name__ == "__main__":
    main(parse_machine())
