"""Side files, as sd-scripts reads them (kohya-ss/sd-scripts 48d368f, library/train_util.py), with
`--caption_extension .txt`. OneTrainer, ai-toolkit and SimpleTuner look for the same file.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".PNG", ".JPG", ".JPEG", ".WEBP", ".BMP")
"""The images of a folder that are found; folders in it are not looked into."""


def lines_of_images(folder: Path, suffix: str = ".txt") -> dict[Path, list[str]]:
    """Return the lines of the caption file of each image in a folder."""
    images = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    return {image: lines_of(image, suffix) for image in images}


def lines_of(image: Path, suffix: str) -> list[str]:
    """Return the captions of an image. A file that is there must have a line."""
    path = image.with_suffix(suffix)
    tokens = image.stem.split("_")
    if not path.is_file() and len(tokens) >= 5:
        path = image.with_name("_".join(tokens[:-4]) + suffix)
    with path.open(encoding="utf-8") as file:
        lines = file.readlines()
    assert lines, f"caption file is empty: {path}"
    return [line.strip() for line in lines if line.strip()]


def draw(lines: list[str], rng: random.Random, wildcard: bool = True) -> str:
    """Return the text of one step: with `--enable_wildcard` a random line and a random one of the
    words in `{a|b}`, and `{{` for a brace; without it the first line as it is."""
    if not wildcard:
        return lines[0]
    text = rng.choice(lines).replace("{{", "\ue000").replace("}}", "\ue001")
    text = re.sub(r"\{([^}]+)\}", lambda match: rng.choice(match[1].split("|")), text)
    return text.replace("\ue000", "{").replace("\ue001", "}")
