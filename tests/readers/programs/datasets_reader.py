"""Hugging Face `datasets`: what `load_dataset` gives."""

from __future__ import annotations

from typing import Any

import datasets
from PIL import Image

from tests.readers.colours import number_of

datasets.disable_progress_bars()


def rows(kind: str, cache: str, **options: Any) -> list[dict[str, Any]]:
    """Return the rows of `load_dataset(kind, **options)`, with numbers in the place of images."""
    loaded = datasets.load_dataset(kind, split="train", cache_dir=cache, **options)
    return [{name: plain(value) for name, value in row.items()} for row in loaded]


def conversations(path: str, cache: str) -> list[tuple[int, str]]:
    """Return (image number, answer) of JSON Lines of messages, loaded as TRL's page "Dataset
    formats" does: the images are loaded from the paths in `images`."""
    loaded = datasets.load_dataset("json", data_files=path, split="train", cache_dir=cache)
    loaded = loaded.cast_column("images", datasets.Sequence(datasets.Image()))
    found = []
    for row in loaded:
        (image,) = row["images"]
        answer = row["messages"][-1]["content"]
        text = answer if isinstance(answer, str) else "".join(part["text"] for part in answer)
        found.append((number_of(image), text))
    return found


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: of an image its number, of bytes their text."""
    if isinstance(value, Image.Image):
        return number_of(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return value
