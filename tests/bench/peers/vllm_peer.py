"""vLLM: all images at once, which it batches itself."""

from __future__ import annotations

from typing import Any

from PIL import Image
from protocol import Caption, serve  # type: ignore[import-not-found]


def load(request: dict[str, Any]) -> Caption:
    from vllm import LLM, SamplingParams  # type: ignore[import-not-found]

    model = LLM(
        model=request["checkpoint"],
        dtype="float32",
        gpu_memory_utilization=0.5,  # of a machine that is not its own; on a CPU of its memory
        limit_mm_per_prompt={"image": 1},
        seed=0,
    )
    greedy = SamplingParams(temperature=0.0, max_tokens=request["max_new_tokens"])

    def caption(images: list[str]) -> list[str]:
        prompts = [
            {
                "prompt": request["prompt"],
                "multi_modal_data": {"image": Image.open(image).convert("RGB")},
            }
            for image in images
        ]
        return [output.outputs[0].text for output in model.generate(prompts, greedy)]

    return caption


if __name__ == "__main__":
    serve(load)
