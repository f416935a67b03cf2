"""LLaVA's `LazySupervisedDataset` (haotian-liu/LLaVA c121f04, llava/train/train.py)."""

from __future__ import annotations

import json
import os.path
from pathlib import Path

IMAGE_TOKEN = "<image>"
"""What becomes an image, in whichever turn it stands."""


def turns(data_path: Path, image_folder: str) -> list[tuple[str, str, str, int]]:
    """Return (image path, question, answer, images in the text) of each record of `--data_path`.

    An epoch has each record once. The model gets one image a record, and fails at a text with more
    or fewer of them.
    """
    found = []
    for record in json.loads(data_path.read_bytes()):
        path = os.path.join(image_folder, record["image"])  # noqa: PTH118
        human, gpt = record["conversations"]
        assert (human["from"], gpt["from"]) == ("human", "gpt")
        images = sum(turn["value"].count(IMAGE_TOKEN) for turn in (human, gpt))
        found.append((path, human["value"], gpt["value"], images))
    return found
