"""What the four models take on common GPUs, as `estimate --gpu` calculates it: README's table.

Checkpoints of the official sizes are made one after the other, without numbers: 20 GB of memory are
needed. Nothing is measured on a GPU.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from db.rows import DeviceRow
from engine.captioners.registry import choose
from engine.hardware.gpu_models import GPU_MODELS, gpu_model
from engine.operations.estimate import Target, estimate
from tests.bench.checkpoint_layouts import FAMILY, LAYOUTS
from tests.bench.official_checkpoints import make_checkpoint
from tests.bench.report import report

USUAL_LAYOUTS = ("llava-1.5 llava-hf", "minigpt-4", "otter", "qwen-vl")
USUAL_GPUS = ("rtx-4090", "a100-80gb", "h100")
CC3M_IMAGES = 2_900_000
"""Images of CC3M that could still be downloaded at the end of 2021."""


def main(cases: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench gpu-estimate", description=__doc__)
    parser.add_argument("layouts", nargs="*", default=USUAL_LAYOUTS, metavar="|".join(LAYOUTS))
    parser.add_argument("--gpu", action="append", choices=tuple(GPU_MODELS))
    parser.add_argument("--size", choices=("7b", "small"), default="7b")
    options = parser.parse_args(cases)
    for layout in options.layouts:
        with tempfile.TemporaryDirectory() as name:
            folder = make_checkpoint(layout, options.size, Path(name) / "checkpoint", hollow=True)
            for quantize in ("", "int8"):
                for gpu in options.gpu or USUAL_GPUS:
                    print_estimate(FAMILY[layout], folder, gpu, quantize)


def print_estimate(family: str, folder: Path, gpu: str, quantize: str) -> None:
    model = choose(f"{family}={folder}")
    if quantize:
        model = replace(model, settings=model.settings | {"quantize": quantize})
    device = DeviceRow(id="cuda:0", label=gpu)
    target = Target(count=1, device=device, gpu=gpu_model(gpu))
    (found,) = estimate(CC3M_IMAGES, [model], target).models
    if found.basis is None:
        raise SystemExit(f"{family}: {found.note}")
    report(
        "gpu-estimate",
        f"{family} {quantize or 'bf16'} {gpu}",
        found.images_per_second or 0.0,
        "images/s",
        hours_of_cc3m=round((found.seconds or 0.0) / 3600, 1),
        memory_gb=round((found.memory or 0) / 1e9, 1),
        weights_gb=round((found.weights or 0) / 1e9, 1),
        batch=found.batch or 0,
        note=found.note,
    )
