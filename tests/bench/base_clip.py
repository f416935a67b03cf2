"""A CLIP of the size of openai/clip-vit-base-patch32, on which arithmetic decides.

Weights are random; the tokenizer is that of the demo CLIP.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoTokenizer, CLIPConfig, CLIPModel, CLIPProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from engine.demo import checkpoint


def write_base(folder: Path) -> Path:
    """Write the checkpoint. Sizes are transformers' defaults, which are those of ViT-B/32."""
    tokenizer = AutoTokenizer.from_pretrained(
        checkpoint("score"), local_files_only=True, trust_remote_code=False
    )
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=ends)).half().save_pretrained(folder)
    CLIPProcessor(CLIPImageProcessorPil(), tokenizer).save_pretrained(folder)
    return folder
