"""BLIP's `pretrain_dataset` (salesforce/BLIP 056a169, data/pretrain_dataset.py, data/utils.py),
which upstream trains with, too."""

from __future__ import annotations

import json
import re
from pathlib import Path


def pairs(files: list[Path]) -> list[tuple[str, str]]:
    """Return (image path, text) of all records of the files: an epoch has each of them once.

    The path is opened as it is. The text is the caption in lower case, without some punctuation,
    cut after 30 words.
    """
    records = [record for file in files for record in json.loads(file.read_bytes())]
    return [(record["image"], pre_caption(record["caption"])) for record in records]


def pre_caption(caption: str, max_words: int = 30) -> str:
    """Return the text that BLIP trains on."""
    text = re.sub(r"([.!\"()*#:;~])", " ", caption.lower())
    text = re.sub(r"\s{2,}", " ", text).rstrip("\n").strip(" ")
    return " ".join(text.split(" ")[:max_words])
