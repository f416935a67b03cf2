"""The share of greedy captions that stay the same in lower precision, on the demo checkpoints.

The baseline is float32. Raw captions mostly differ after their first sentence.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from engine.captioners.checkpoints import quantization
from engine.demo.scenes import write_scenes
from engine.operations.demo_project import MODELS
from engine.shearing.shear import Shearing, shear
from tests.bench.report import report
from tests.gpu.demo_captions import demo_captions

COUNT = 192
"""Number of images."""
LOWER_PRECISIONS = {
    "bfloat16": {"dtype": "bfloat16"},
    "float16": {"dtype": "float16"},
    "int8": {"quantize": "int8"},
    "int8 and bfloat16": {"quantize": "int8", "dtype": "bfloat16"},
    "fp8": {"quantize": "fp8"},
    "fp8 and bfloat16": {"quantize": "fp8", "dtype": "bfloat16"},
}
"""Changes of the settings, by the name of the case."""


def main(cases: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_scenes(Path(folder), COUNT, 9)
        images = sorted((Path(folder) / "images").iterdir())
        for name in cases or MODELS:
            full = raw_captions(name, {}, images)
            for precision, changes in LOWER_PRECISIONS.items():
                lower = raw_captions(name, changes, images)
                for form, texts in {
                    "raw": (full, lower),
                    "sheared": (shear_all(name, full), shear_all(name, lower)),
                }.items():
                    same = sum(one == other for one, other in zip(*texts, strict=True))
                    case = f"{name}, {precision}, {form}"
                    report("agreement", case, same / COUNT, "share of captions", 1.0)


def raw_captions(name: str, changes: dict[str, Any], images: list[Path]) -> list[str]:
    """Return greedy captions of the images by a demo checkpoint, in float32 before `changes`."""
    # A CPU can multiply fp8, but so slowly that captioners refuse it.
    with patch.object(quantization, "supports_fp8", lambda _: True):
        return [caption.raw for caption in demo_captions(name, images, "cpu", changes)]


def shear_all(family: str, captions: list[str]) -> list[str]:
    return [shear(caption, family, Shearing()).text for caption in captions]
