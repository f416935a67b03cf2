"""A LLaVA of 359 million parameters, on which arithmetic decides how fast a CPU captions.

The demo models are so small that Python and JPEGs decide there. Weights are random; tokenizer and
processor are those of the demo LLaVA, so that other engines load the folder, too.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import LlavaConfig, LlavaForConditionalGeneration

from tests.support.checkpoints import change_json

PATCH, SIDE = 16, 336
"""Sides of a patch and of the image of CLIP-B/16, in pixels."""
VISION = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": SIDE,
    "patch_size": PATCH,
}
LANGUAGE = {
    "vocab_size": 32_000,
    "hidden_size": 1024,
    "intermediate_size": 2816,
    "num_hidden_layers": 16,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "head_dim": 64,
    "max_position_embeddings": 2048,
}


def write_medium(demo: Path, folder: Path) -> Path:
    """Write the checkpoint in llava-hf's layout, float16 as the official files are.

    `demo` is the folder of the demo LLaVA.
    """
    weights = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(demo, folder, ignore=weights)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] |= LANGUAGE
    config["vision_config"] |= VISION
    config["image_seq_length"] = (SIDE // PATCH) ** 2
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(LlavaConfig(**config))
    model.half().save_pretrained(folder)
    name_as_published(folder / "model.safetensors")
    square = {"height": SIDE, "width": SIDE}
    size = {"shortest_edge": SIDE}
    change_json(folder / "preprocessor_config.json", size=size, crop_size=square)
    change_json(folder / "processor_config.json", patch_size=PATCH)
    change_json(folder / "tokenizer_config.json", model_max_length=2048)
    name_all_tokens(folder / "tokenizer.json", LANGUAGE["vocab_size"])
    return folder


def name_as_published(path: Path) -> None:
    """Give the vision tower's weights the names of llava-hf's files, by which vLLM knows them.

    New versions of transformers leave a part of them out.
    """
    tower, published = "vision_tower.", "vision_tower.vision_model."
    weights = {
        name if name.startswith(published) else name.replace(tower, published, 1): tensor
        for name, tensor in load_file(path).items()
    }
    save_file(weights, path, metadata={"format": "pt"})


def name_all_tokens(path: Path, tokens: int) -> None:
    """Give the tokenizer's file a text for every token id, so that captions can be compared."""
    content = json.loads(path.read_text())
    vocabulary = content["model"]["vocab"]
    unlikely = min(score for _, score in vocabulary) - 100.0
    vocabulary += [[f"Ġ#{token}", unlikely] for token in range(len(vocabulary), tokens)]
    path.write_text(json.dumps(content))
