"""The share of greedy captions that stay the same in lower precision, on the demo checkpoints.

The baseline is float32. What differs in a raw caption mostly lies behind its first sentence.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from engine.captioners.checkpoints import quantization
from engine.captioners.registry import FAMILIES
from engine.demo import checkpoint
from engine.demo.scenes import write
from engine.images.image import open_image
from engine.shearing.shear import Shearing, shear
from tests.bench.report import report
from tui.cli.demo import MODELS

COUNT = 192
LOWER = {
    "bfloat16": {"dtype": "bfloat16"},
    "float16": {"dtype": "float16"},
    "int8": {"quantize": "int8"},
    "int8 and bfloat16": {"quantize": "int8", "dtype": "bfloat16"},
    "fp8": {"quantize": "fp8"},
    "fp8 and bfloat16": {"quantize": "fp8", "dtype": "bfloat16"},
}


def main(cases: list[str]) -> None:
    with tempfile.TemporaryDirectory() as made:
        write(Path(made), COUNT, 9)
        images = sorted((Path(made) / "images").iterdir())
        for name in cases or MODELS:
            whole = captions(name, {}, images)
            for precision, changes in LOWER.items():
                lower = captions(name, changes, images)
                for what, texts in {
                    "raw": (whole, lower),
                    "sheared": sheared(name, whole, lower),
                }.items():
                    same = sum(one == other for one, other in zip(*texts, strict=True))
                    case = f"{name}, {precision}, {what}"
                    report("agreement", case, same / COUNT, "share of captions", 1.0)


def captions(name: str, changes: dict[str, str], images: list[Path]) -> list[str]:
    paper = FAMILIES[name].presets["paper"]
    settings = replace(paper, temperature=0.0, top_p=None, **{"dtype": "float32"} | changes)
    # A CPU multiplies fp8, too, so slowly that captioners refuse it.
    with patch.object(quantization, "multiplies_fp8", lambda _: True):
        captioner = FAMILIES[name].load(str(checkpoint(name)), settings, "cpu")
    found: list[str] = []
    for first in range(0, len(images), settings.batch):
        part = images[first : first + settings.batch]
        prepared = [captioner.prepare(open_image(str(image))) for image in part]
        records = range(first, first + len(part))
        found += [caption.raw for caption in captioner.caption(prepared, records)]
    return found


def sheared(name: str, *sides: list[str]) -> tuple[list[str], ...]:
    return tuple([shear(text, name, Shearing()).text for text in side] for side in sides)
