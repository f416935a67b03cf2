"""What one would write with transformers: its processor and `generate`, a batch after the other."""

from __future__ import annotations

import time
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from tests.bench.bench_model import CaptioningRate, GenerateRun
from tests.engine.captioners.families.hf_truth.truth import without_torchvision

LOCAL: Any = {"local_files_only": True, "trust_remote_code": False}


@torch.inference_mode()
def run_plain_generate(model: Any, images: list[str]) -> GenerateRun:
    """Caption all images with the checkpoint of a bench model, which has a chat template."""
    settings = model.settings
    with without_torchvision():
        processor = AutoProcessor.from_pretrained(model.checkpoint, **LOCAL)
    processor.tokenizer.padding_side = "left"
    network = AutoModelForImageTextToText.from_pretrained(
        model.checkpoint, dtype=torch.float32, **LOCAL
    ).eval()
    content = [{"type": "image"}, {"type": "text", "text": settings.prompt}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    texts: list[str] = []
    began, cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(images), settings.batch):
        batch = images[first : first + settings.batch]
        inputs = processor(
            images=[[Image.open(image).convert("RGB")] for image in batch],
            text=[text] * len(batch),
            padding=True,
            return_tensors="pt",
        )
        ids = network.generate(**inputs, do_sample=False, max_new_tokens=settings.max_new_tokens)
        new_ids = ids[:, inputs["input_ids"].shape[1] :]
        texts += processor.batch_decode(new_ids, skip_special_tokens=True)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return GenerateRun(CaptioningRate(len(images) / seconds, cpu / len(images)), texts)
