"""What only a GPU does in decoding must give what the plain way gives, on demo checkpoints."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from engine.captioners.base import Caption
from engine.captioners.families import otter, spliced
from engine.operations.demo_project import MODELS
from tests.gpu.demo_captions import demo_captions, scene_images
from tests.gpu.machine import Machine, parse_machine, report

IMAGES, IMITATED_IMAGES = 96, 6
MIN_SAMPLED_SHARE = 0.98
"""The least share of sampled captions that must be the CPU's: the order of a GPU's sums may turn a
draw that is nearly a tie."""


def main(machine: Machine) -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    with tempfile.TemporaryDirectory() as folder:
        images = scene_images(Path(folder), IMITATED_IMAGES if machine.imitates else IMAGES)
        for name in MODELS:
            check_model(name, images, machine)


def check_model(name: str, images: Sequence[Path], machine: Machine) -> None:
    """Caption the images in every way, and report the shares of captions that are the same."""

    def captions(*, device: str = machine.device, **changes: Any) -> list[Caption]:
        return demo_captions(name, images, device, changes)

    launched = captions(graphs=False)
    with captured(machine):
        report_share(f"{name}, CUDA graphs and launched steps", captions(graphs=True), launched)
    one_by_one = captions(graphs=False, batch=1)
    report_share(f"{name}, rows dropped and rows alone", launched, one_by_one)
    report_share(
        f"{name}, on the device and on the CPU", launched, captions(device="cpu", graphs=False)
    )
    sampled: dict[str, Any] = {"temperature": 1.0, "top_p": 0.9, "graphs": False}
    report_share(
        f"{name}, sampled on the device and on the CPU",
        captions(**sampled),
        captions(device="cpu", **sampled),
        MIN_SAMPLED_SHARE,
    )


def report_share(
    case: str, captions: Sequence[Caption], expected: Sequence[Caption], least: float = 1.0
) -> None:
    same = sum(one == other for one, other in zip(captions, expected, strict=True))
    share = same / len(expected)
    report(case, share, "share of captions", share >= least)


@contextmanager
def captured(machine: Machine) -> Iterator[None]:
    """Have a CPU imitate captured steps: a replay runs the step again."""
    if not machine.imitates:
        yield
        return
    with (
        patch.object(otter, "capture_for", lambda *_: run_again),
        patch.object(spliced, "capture_for", lambda *_: run_again),
    ):
        yield


def run_again(step: Any, input_ids: torch.Tensor, position: torch.Tensor) -> Any:
    logits = step(input_ids, position).clone()
    return lambda: logits.copy_(step(input_ids, position)), logits


if __name__ == "__main__":
    main(parse_machine())
