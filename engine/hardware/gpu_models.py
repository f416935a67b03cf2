"""What common GPUs can do, by their makers' data sheets: for estimates of machines elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from engine.utils.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuModel:
    """The published figures of a GPU."""

    flops: float
    """Operations in bfloat16 (float16 where it has none) a second, dense."""
    bandwidth: float
    """Bytes of its memory a second."""
    memory: int
    """Bytes."""


GB, TERA = 10**9, 10**12
GPU_MODELS = {
    "t4": GpuModel(flops=65 * TERA, bandwidth=320 * GB, memory=16 * GB),
    "v100-32gb": GpuModel(flops=125 * TERA, bandwidth=900 * GB, memory=32 * GB),
    "rtx-3090": GpuModel(flops=71 * TERA, bandwidth=936 * GB, memory=24 * GB),
    "rtx-4090": GpuModel(flops=165 * TERA, bandwidth=1008 * GB, memory=24 * GB),
    "a10": GpuModel(flops=125 * TERA, bandwidth=600 * GB, memory=24 * GB),
    "l4": GpuModel(flops=121 * TERA, bandwidth=300 * GB, memory=24 * GB),
    "l40s": GpuModel(flops=362 * TERA, bandwidth=864 * GB, memory=48 * GB),
    "a100-40gb": GpuModel(flops=312 * TERA, bandwidth=1555 * GB, memory=40 * GB),
    "a100-80gb": GpuModel(flops=312 * TERA, bandwidth=2039 * GB, memory=80 * GB),
    "h100": GpuModel(flops=989 * TERA, bandwidth=3350 * GB, memory=80 * GB),
    "h200": GpuModel(flops=989 * TERA, bandwidth=4800 * GB, memory=141 * GB),
}
"""NVIDIA's data sheets, of the SXM versions where there are several; by the name that `estimate
--gpu` takes."""


def gpu_model(name: str) -> GpuModel:
    """Return the figures of a GPU. Raises `BadInput` for a name that is not known."""
    found = GPU_MODELS.get(name.lower().replace(" ", "-"))
    if found is None:
        raise BadInput(f"--gpu {name}: known are {', '.join(GPU_MODELS)}")
    return found
