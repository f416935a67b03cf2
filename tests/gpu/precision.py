"""The share of demo captions that stay the same in lower precision, raw and sheared."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from engine.captioners.base import Caption
from engine.captioners.checkpoints import quantization
from engine.operations.demo_project import MODELS
from engine.shearing.shear import Shearing, shear
from tests.gpu.demo_captions import demo_captions, scene_images
from tests.gpu.machine import Machine, parse_machine, report

IMAGES, IMITATED_IMAGES = 192, 4
PRECISIONS: dict[str, dict[str, Any]] = {
    "bfloat16": {"dtype": "bfloat16"},
    "int8 and bfloat16": {"dtype": "bfloat16", "quantize": "int8"},
    "fp8 and bfloat16": {"dtype": "bfloat16", "quantize": "fp8"},
}
MIN_SHEARED_SHARE = 0.9
"""The least share of sheared captions that must be float32's. On a CPU it was 0.97 and more."""


def main(machine: Machine) -> None:
    with tempfile.TemporaryDirectory() as folder:
        images = scene_images(Path(folder), IMITATED_IMAGES if machine.imitates else IMAGES)
        for name in MODELS:
            full = demo_captions(name, images, machine.device, {})
            for precision, changes in PRECISIONS.items():
                lower = captions_in(precision, name, images, changes, machine)
                if lower is not None:
                    report_shares(name, precision, full, lower, machine)


def captions_in(
    precision: str, name: str, images: Sequence[Path], changes: dict[str, Any], machine: Machine
) -> list[Caption] | None:
    """Return captions in lower precision; None where the device has none of it, which is told."""
    quantizes_fp8 = changes.get("quantize") == "fp8"
    if quantizes_fp8 and machine.imitates:
        # A CPU can multiply fp8, but so slowly that captioners refuse it.
        with patch.object(quantization, "supports_fp8", lambda _: True):
            return demo_captions(name, images, machine.device, changes)
    if quantizes_fp8 and not quantization.supports_fp8(torch.device(machine.device)):
        report(f"{name}, {precision}", "this GPU has no fp8")
        return None
    return demo_captions(name, images, machine.device, changes)


def report_shares(
    name: str, precision: str, full: list[Caption], lower: list[Caption], machine: Machine
) -> None:
    same = [one.raw == other.raw for one, other in zip(full, lower, strict=True)]
    report(f"{name}, {precision}, raw", sum(same) / len(same), "share of captions")
    sheared = [
        shear(one.raw, name, Shearing()).text == shear(other.raw, name, Shearing()).text
        for one, other in zip(full, lower, strict=True)
    ]
    share = sum(sheared) / len(sheared)
    # Four images are too few for a share: an imitation only shows that the code runs.
    good = None if machine.imitates else share >= MIN_SHEARED_SHARE
    report(f"{name}, {precision}, sheared", share, "share of captions", good)


if __name__ == "__main__":
    main(parse_machine())
