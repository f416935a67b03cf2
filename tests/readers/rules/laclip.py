"""LaCLIP's `CsvDatasetAugCap` (LijieFan/LaCLIP 7ddd516, data.py)."""

from __future__ import annotations

import csv
import os.path
from pathlib import Path

SUFFIXES = (".png", ".jpg", ".jpeg")
"""The images that are not passed over."""


def rows(train_data: str, caption_files: list[str], root: str) -> list[tuple[str, list[str]]]:
    """Return (image path, captions) of `--train-data` with `--augmented_caption_filelist`.

    Each epoch draws one of the captions, all as likely; in the place of one with fewer than two
    words it takes the first, which is the one in the CSV file.
    """
    augmented = [read_lines(Path(file)) for file in caption_files]
    samples = len(augmented[0])
    assert all(len(lines) == samples for lines in augmented)
    found: list[tuple[str, list[str]]] = []
    with Path(train_data).open() as file:
        for image, caption, *_ in csv.reader(file):
            if image.endswith(SUFFIXES):
                number = len(found)
                others = [lines[number].replace("\n", "") for lines in augmented]
                found.append((os.path.join(root, image), [caption, *others]))  # noqa: PTH118
    assert len(found) == samples
    return found


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file that is opened as text."""
    with path.open() as file:
        return file.readlines()


def trained_texts(captions: list[str]) -> set[str]:
    """Return the texts that an image can be trained on."""
    return {text if len(text.split(" ")) >= 2 else captions[0] for text in captions}
