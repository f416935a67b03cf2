"""Small pictures that all differ, and the captions that the model `dry-run` makes of them."""

from __future__ import annotations

import json
import zlib
from io import BytesIO
from pathlib import Path

from PIL import Image


def draw_picture(path: Path, number: int, size: tuple[int, int] = (24, 16)) -> None:
    """Save a picture of one colour, which depends on `number`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (number % 256, number // 256 % 256, number // 65536))
    image.save(path)


def colour_jpeg(colour: str) -> bytes:
    """Return a JPEG file of 8 x 8 pixels of one colour."""
    out = BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "JPEG")
    return out.getvalue()


def make_captions(folder: Path, count: int, suffix: str = "png") -> Path:
    """Make `count` pictures and a caption file in upstream's format. Return the file's path."""
    records = []
    for number in range(count):
        name = f"images/{number:06}.{suffix}"
        draw_picture(folder / name, number)
        records.append({"image": name, "caption": f"alt text {number}"})
    path = folder / "captions.json"
    path.write_text(json.dumps(records))
    return path


def dry_run_caption(path: Path) -> str:
    """Return the sheared caption that `dry-run` must make of an image file."""
    with Image.open(path) as image:
        width, height = image.size
        mode = image.mode
    return f"{width}x{height} {mode} image, crc32 {zlib.crc32(path.read_bytes()):08x}"


def check_dry_run_export(export: Path, root: Path, images: list[str]) -> None:
    """Assert that the export holds these images once, in this order, with their own captions."""
    records = json.loads(export.read_text())
    assert [record["image"] for record in records] == images
    for record in records:
        assert record["caption"] == dry_run_caption(root / record["image"])
