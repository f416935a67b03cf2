"""DreamLIP's `CsvDataset` with `--use_longcap`.

Source: ant-research/DreamLIP b4de0a4, training/data.py.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator
from pathlib import Path

CAPTION_COLUMNS = range(2, 8)
"""The columns behind path and raw caption, which `read_long_csv` takes by position."""


def rows(train_data: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (image path, raw caption, sentences) of the files of `--train-data`.

    The sentences are those of all six columns, cut at line breaks, `</s>` and full stops.
    """
    for csv_file in train_data.split(","):
        _ = csv_file.split("/")[4]  # the name of the data set
        with Path(csv_file).open() as file:
            for number, line in enumerate(csv.reader(file)):
                if number:
                    cells = [line[column] for column in CAPTION_COLUMNS]
                    yield line[0], line[1], sentences([text for text in cells if text])


def sentences(captions: list[str]) -> list[str]:
    """Return the sentences of some captions, without empty ones."""
    pieces = (piece.strip() for text in captions for piece in re.split(r"\n|</s>|[.]", text))
    return [piece for piece in pieces if piece]


def draw(raw: str, sentences: list[str], rng: random.Random, texts: int = 6) -> list[str]:
    """Return what one epoch trains an image on: the raw caption and some sentences.

    The last sentence is never among those that are drawn from: without another there is an error.
    """
    population = range(len(sentences) - 1)
    drawn = (
        rng.sample(population, texts)
        if len(population) >= texts
        else rng.choices(population, k=texts)
    )
    return [raw, *(sentences[number] for number in drawn)]
