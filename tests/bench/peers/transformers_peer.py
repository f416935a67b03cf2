"""transformers: processor and `generate`, one batch after the other."""

from __future__ import annotations

from typing import Any

from PIL import Image
from protocol import Caption, serve  # type: ignore[import-not-found]

LOCAL = {"local_files_only": True, "trust_remote_code": False}


def load(request: dict[str, Any]) -> Caption:
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder, size = request["checkpoint"], request["batch"]
    processor = AutoProcessor.from_pretrained(folder, **LOCAL)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, **LOCAL)

    def caption_batch(batch: list[str]) -> list[str]:
        images = [Image.open(image).convert("RGB") for image in batch]
        prompts = [request["prompt"]] * len(batch)
        inputs = processor(images=images, text=prompts, return_tensors="pt", padding=True)
        with torch.inference_mode():
            ids = model.generate(
                **inputs, do_sample=False, max_new_tokens=request["max_new_tokens"]
            )
        new_ids = ids[:, inputs["input_ids"].shape[1] :]
        texts: list[str] = processor.batch_decode(new_ids, skip_special_tokens=True)
        return texts

    def caption(images: list[str]) -> list[str]:
        batches = [images[first : first + size] for first in range(0, len(images), size)]
        return [text for batch in batches for text in caption_batch(batch)]

    return caption


if __name__ == "__main__":
    serve(load)
