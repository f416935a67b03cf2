"""What `estimate` says before anything ran, beside the pilot that follows: images/s of each.

Both take turns in one run, since a machine's speed is never the same. `--model` names checkpoints
of one's own; without it the demonstration's and the small random ones are taken, and a tiny open
model.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from engine.captioners.registry import ModelChoice, choose
from engine.demo.scenes import write_scenes
from engine.hardware.devices import find_devices
from engine.images.image import ImagePaths
from engine.operations.estimate import IMAGES_LOOKED_AT, Target, estimate_model
from engine.operations.tryout import Tryout, TryoutJob
from tests.bench.engine import DEMO, DRAWN_SIZE
from tests.bench.report import report
from tests.bench.tiny_qwen import write_tiny_qwen
from tests.support.checkpoints import CHECKPOINTS

FAMILIES_OF_OURS = ("llava-1.5", "minigpt-4", "otter", "qwen-vl")
COUNT, OPEN_COUNT = 192, 32
"""Images of a pilot, and of one of an open model: full batches."""


def main(cases: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench estimate", description=__doc__)
    parser.add_argument("--model", action="append", metavar="NAME=[FAMILY:]CHECKPOINT")
    parser.add_argument("--count", type=int, help=f"images ({COUNT}, of open models {OPEN_COUNT})")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--devices", default="cpu")
    options = parser.parse_args(cases)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = options.model or [*usual_models(folder)]
        write_scenes(folder / "drawn", COUNT, 7, DRAWN_SIZE)
        images = [str(path) for path in sorted((folder / "drawn/images").iterdir())]
        for model in map(choose, models):
            count = options.count or (OPEN_COUNT if model.family == "hf" else COUNT)
            compare(model, (images * count)[:count], options.rounds, options.devices)


def usual_models(folder: Path) -> list[str]:
    """Return the models that are compared unless others are named, as `--model` takes them."""
    small = folder / "small"
    small.mkdir()
    models = [f"demo-{name}={name}:{(DEMO / name).absolute()}" for name in FAMILIES_OF_OURS]
    models += [
        f"small-{name}={name}:{CHECKPOINTS[name](small / name)}" for name in FAMILIES_OF_OURS
    ]
    return [*models, f"tiny-qwen2.5-vl=hf:{write_tiny_qwen(folder / 'qwen')}"]


def compare(model: ModelChoice, images: list[str], rounds: int, devices: str) -> None:
    """Print a model's estimated images/s beside those of the pilot, the medians of all rounds."""
    target = Target(count=1, device=find_devices(devices)[0])
    estimated, measured = [], []
    memory: dict[str, Any] = {}
    for _ in range(rounds):
        found = estimate_model(len(images), model, target, images[:IMAGES_LOOKED_AT])
        if found.images_per_second is None:
            raise SystemExit(f"{model.name}: {found.note}")
        estimated.append(found.images_per_second)
        for event in Tryout(job_of(model, images, target)):
            if event.rate is not None:
                measured.append(event.rate)
                memory = {"memory_estimated": found.memory, "memory_measured": event.memory}
    ratios = [a / b for a, b in zip(estimated, measured, strict=True)]
    report(
        "estimate",
        model.name,
        median(estimated),
        "images/s",
        median(measured),
        images=len(images),
        ratio_by_round=", ".join(f"{ratio:.2f}" for ratio in ratios),
        **memory,
    )


def job_of(model: ModelChoice, images: list[str], target: Target) -> TryoutJob:
    """Return the job of a pilot of these images."""
    return TryoutJob(
        name=model.name,
        family=model.family,
        checkpoint=model.checkpoint,
        settings=model.settings,
        records=list(enumerate(images)),
        paths=ImagePaths(root="/"),
        device=target.device,
    )
