"""Pictures that differ from each other, and the captions that `dry-run` gives them."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

from PIL import Image


def draw(path: Path, number: int, size: tuple[int, int] = (24, 16)) -> None:
    """A small picture unlike any other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (number % 256, number // 256 % 256, number // 65536))
    image.save(path)


def make_captions(folder: Path, count: int, suffix: str = "png") -> Path:
    """Pictures and a caption file in upstream's form; returns the file."""
    records = []
    for number in range(count):
        name = f"images/{number:06}.{suffix}"
        draw(folder / name, number)
        records.append({"image": name, "caption": f"alt text {number}"})
    path = folder / "captions.json"
    path.write_text(json.dumps(records))
    return path


def dry_run_caption(path: Path) -> str:
    """What `dry-run` must say of a file, sheared."""
    with Image.open(path) as image:
        width, height = image.size
        mode = image.mode
    return f"{width}x{height} {mode} image, crc32 {zlib.crc32(path.read_bytes()):08x}"


def check_dry_run_export(export: Path, root: Path, images: list[str]) -> None:
    """Every one of these images is there once, in this order, with its own caption."""
    found = json.loads(export.read_text())
    assert [record["image"] for record in found] == images
    for record in found:
        assert record["caption"] == dry_run_caption(root / record["image"])
