"""open_clip's own data sets: what an epoch of training gets."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from PIL import Image

from tests.readers.colours import number_of
from tests.readers.programs.torchvision_loading import declare_operators

declare_operators()

from open_clip_train import data  # noqa: E402
from open_clip_train.params import parse_args  # noqa: E402


class Texts(list[str]):
    """The texts themselves, as a tokenizer's tokens."""


def csv_pairs(path: str, separator: str | None) -> list[tuple[int, str]]:
    """Return (image number, caption) of every row, read by the data set of `--dataset-type csv`.

    `separator` is `--csv-separator`, or None for open_clip's own.
    """
    arguments = ["--train-data", path, "--dataset-type", "csv", "--batch-size", "1"]
    args = parse_args(arguments + (["--csv-separator", separator] if separator else []))
    args.distributed, args.workers = False, 0
    info = data.get_csv_dataset(args, number_of, is_train=True, tokenizer=Texts)
    return [info.dataloader.dataset[i] for i in range(len(info.dataloader.dataset))]


def tar_pairs(
    tars: str, train: bool, samples: int | None = None, resampled: bool = False
) -> dict[str, Any]:
    """Return what an epoch reads from tars, named by a brace expression.

    `samples` is `--train-num-samples`; None has open_clip look for `sizes.json`. `resampled` is
    True for `--dataset-resampled`. The result has `pairs` of (image number, caption),
    `num_samples`, and `warnings`, which open_clip logs for what it passes over.
    """
    arguments = ["--train-data" if train else "--val-data", tars, "--dataset-type", "webdataset"]
    arguments += ["--batch-size", "1", "--workers", "0"]
    arguments += ["--dataset-resampled"] * resampled
    args = parse_args(arguments + (["--train-num-samples", str(samples)] if samples else []))
    args.distributed, args.world_size = False, 1
    warnings: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: warnings.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        info = data.get_wds_dataset(args, number_of, is_train=train, tokenizer=lambda text: [text])
        pairs = [(numbers[0], texts[0]) for numbers, texts in info.dataloader]
    finally:
        logging.getLogger().removeHandler(handler)
    return {
        "pairs": [(int(number), text) for number, text in pairs],
        "num_samples": info.dataloader.num_samples,
        "warnings": warnings,
    }


def image_opens(path: str) -> bool:
    """Return True if open_clip can open the image at a path."""
    try:
        Image.open(Path(path)).convert("RGB")
    except OSError:
        return False
    return True
