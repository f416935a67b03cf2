"""Upstream's captioning loop, rewritten: one thread does one thing after the other."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from engine.captioners.checkpoints import cpu_products
from engine.captioners.generation.generate import splice
from tests.bench.bench_model import CaptioningRate


@torch.inference_mode()
def run_upstream_loop(model: Any, images: list[str], folder: Path) -> Any:
    """Caption all images with the model. Return the rate."""
    # Upstream has torch's own linear layers.
    with patch.object(cpu_products, "is_onednn_faster", lambda: False):
        captioner = model.load()
    weight = next(captioner.model.parameters())
    processor = make_processor(captioner)
    out = folder / "upstream.json"
    out.write_text("[")
    began, cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(images), captioner.batch):
        batch = images[first : first + captioner.batch]
        pixels = [
            processor(Image.open(image).convert("RGB"), return_tensors="pt").pixel_values
            for image in batch
        ]
        ids = generate(captioner, torch.cat(pixels).to(weight.device, weight.dtype))
        decode = captioner.tokenizer.decode
        texts = [decode(row, skip_special_tokens=True) for row in ids.tolist()]
        records = [
            {"image": image, "caption": text.strip().split(".")[0]}
            for image, text in zip(batch, texts, strict=True)
        ]
        with out.open("a") as file:
            file.write(json.dumps(records)[1:-1] + ",")
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return CaptioningRate(len(images) / seconds, cpu / len(images))


def make_processor(captioner: Any) -> CLIPImageProcessorPil:
    """Return the image processor with which upstream would prepare images for this model."""
    side = captioner.preprocessor.side
    if captioner.settings.preprocess == "squash":
        return CLIPImageProcessorPil(size={"height": side, "width": side}, do_center_crop=False)
    square = {"height": side, "width": side}
    return CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=square)


def generate(captioner: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Return the new token ids for a batch of `pixel_values`, by `generate` of transformers."""
    settings, count = captioner.settings, len(pixels)
    options: dict[str, Any] = {
        "max_new_tokens": settings.max_new_tokens,
        "min_new_tokens": settings.min_new_tokens or None,
        "no_repeat_ngram_size": settings.no_repeat_ngram or None,
        "num_beams": 1,
        "eos_token_id": list(captioner.stop_ids),
        "pad_token_id": captioner.pad_id,
        "use_cache": True,
        "do_sample": settings.temperature > 0,
    }
    if settings.temperature > 0:
        options |= {"temperature": settings.temperature, "top_p": settings.top_p, "top_k": 0}
    if hasattr(captioner, "prompt"):
        captioner.model.set_images(pixels)
        ids = torch.tensor(captioner.prompt, device=pixels.device).expand(count, -1)
        output = captioner.model.lang_encoder.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), **options
        )
        return output[:, ids.shape[1] :]
    decoder, model = captioner.decoder, captioner.model
    if captioner.name == "llava-1.5":  # image by image, as upstream calls `encode_images`
        features = torch.cat([model.image_features(one[None]) for one in pixels])
    else:
        features = model.image_features(pixels)
    joined = splice(decoder.before, features, decoder.after)
    mask = torch.ones(joined.shape[:2], dtype=torch.long, device=pixels.device)
    return model.language_model.generate(inputs_embeds=joined, attention_mask=mask, **options)
