"""Tiny CLIPs and SigLIPs with random weights, in the layout that `save_pretrained` writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerBase,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    Siglip2Processor,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipProcessor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from engine.demo.layouts import clip, llava

CORPUS = ["a red disc over a blue bar", "two dogs run along the beach", "Ein Hund läuft."]
LENGTH = 24
"""Positions of the text encoders, fewer than some texts have tokens."""
ENCODER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
}
BICUBIC, BILINEAR = 3, 2


def save_clip(folder: Path, shortest_edge: int = 32) -> None:
    """Write a CLIP; with another shortest edge than 32 its square is cut out of a larger one."""
    tokenizer = clip.build_tokenizer(CORPUS)
    text = text_sizes(tokenizer) | {"projection_dim": 16}
    vision = ENCODER | {"image_size": 32, "patch_size": 8, "projection_dim": 16}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    images = CLIPImageProcessorPil(
        size={"shortest_edge": shortest_edge}, crop_size={"height": 32, "width": 32}
    )
    save(CLIPModel(config), CLIPProcessor(images, tokenizer), folder)


def save_siglip(folder: Path, resample: int = BICUBIC) -> None:
    tokenizer = whole_words()
    vision = ENCODER | {"image_size": 32, "patch_size": 8}
    config = SiglipConfig(text_config=text_sizes(tokenizer), vision_config=vision)
    images = SiglipImageProcessorPil(size={"height": 32, "width": 32}, resample=resample)
    save(SiglipModel(config), SiglipProcessor(images, tokenizer), folder)


def save_siglip2(folder: Path) -> None:
    """Write a SigLIP 2 of the kind that keeps a picture's aspect ratio (NaFlex)."""
    tokenizer = whole_words()
    vision = ENCODER | {"num_patches": 256, "patch_size": 16}
    config = Siglip2Config(text_config=text_sizes(tokenizer), vision_config=vision)
    images = Siglip2ImageProcessorPil(patch_size=16, max_num_patches=256)
    save(Siglip2Model(config), Siglip2Processor(images, tokenizer), folder)


def whole_words() -> PreTrainedTokenizerBase:
    """Return a tokenizer that fills texts up behind, as SigLIP's does."""
    tokenizer = llava.build_tokenizer(CORPUS)
    tokenizer.padding_side = "right"
    return tokenizer


def text_sizes(tokenizer: Any) -> dict[str, Any]:
    """Return the config of a text encoder for a tokenizer."""
    return ENCODER | {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": LENGTH,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def save(model: Any, processor: Any, folder: Path) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                # So large that pictures and texts are told apart.
                parameter.normal_(0, 0.2)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


SAVERS: dict[str, Callable[[Path], None]] = {
    "clip": save_clip,
    "clip-cut-out": lambda folder: save_clip(folder, shortest_edge=40),
    "siglip": save_siglip,
    "siglip-bilinear": lambda folder: save_siglip(folder, BILINEAR),
    "siglip2": save_siglip2,
}
"""What writes each checkpoint into a folder, by its name."""
