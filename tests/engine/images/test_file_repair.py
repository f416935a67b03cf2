"""Sound pixels are found in files that Pillow refuses, and in no others."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from engine.images.file_repair import with_jpeg_end, without_png_texts
from engine.images.image import ImageProblem, open_image
from engine.images.pixel_rules import PixelRules

WAYS: list[dict[str, Any]] = [{}, {"progressive": True}, {"quality": 30}, {"subsampling": 2}]
"""The ways in which a JPEG is encoded, as Pillow's options."""
ENDLESS = PixelRules(jpeg_end="optional")


def noise(mode: str = "RGB") -> Image.Image:
    return Image.effect_noise((120, 90), 60).convert(mode)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["text", "ztxt", "itxt", "many", "profile", "behind"])
def test_a_png_with_large_texts_is_captioned(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.png"
    texts = PngImagePlugin.PngInfo()
    large = "workflow " * 300_000
    if kind == "text":
        texts.add_text("prompt", large)
    elif kind == "ztxt":
        texts.add_text("prompt", large, zip=True)
    elif kind == "itxt":
        texts.add_itxt("prompt", large, zip=True)
    elif kind == "many":
        for number in range(80):
            texts.add_text(f"prompt {number}", "x" * 1_000_000, zip=True)
    elif kind == "behind":
        texts.add(b"zTXt", b"prompt\0\0" + zlib.compress(large.encode()), after_idat=True)
    profile = b"x" * 3_000_000 if kind == "profile" else None
    image = noise()
    image.save(path, pnginfo=texts, icc_profile=profile)
    picture = open_image(str(path))
    assert picture.rgb().tobytes() == image.tobytes()
    assert picture.crc32 == zlib.crc32(path.read_bytes())


def test_a_png_that_is_cut_stays_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("prompt", "x" * 2_000_000, zip=True)
    noise().save(path, pnginfo=texts)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ImageProblem) as caught:
        open_image(str(path)).decode()
    assert caught.value.kind == "corrupt"


def test_a_png_without_texts_needs_no_repair(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    assert without_png_texts((tmp_path / "a.png").read_bytes()) is None
    assert without_png_texts(b"\xff\xd8 no PNG") is None


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"quality": 30}, {"subsampling": 2}]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_that_lacks_only_its_end_is_whole(mode: str, options: dict[str, Any]) -> None:
    data = jpeg(noise(mode), **options)
    assert with_jpeg_end(data[:-2]) == data
    assert with_jpeg_end(data[:-1]) == data
    assert with_jpeg_end(data) is None, "it lacks nothing"


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"quality": 30}, {"subsampling": 2}]
)
@pytest.mark.parametrize("cut", [10, 100, 1000, 2500])
def test_a_jpeg_that_lacks_more_is_not(options: dict[str, Any], cut: int) -> None:
    assert with_jpeg_end(jpeg(noise(), **options)[:-cut]) is None


def test_a_jpeg_without_an_end_is_captioned_where_a_person_asks_for_it(tmp_path: Path) -> None:
    data = jpeg(noise())
    (tmp_path / "whole.jpg").write_bytes(data)
    (tmp_path / "endless.jpg").write_bytes(data[:-2])
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    whole = open_image(str(tmp_path / "whole.jpg")).rgb().tobytes()
    with pytest.raises(ImageProblem):
        open_image(str(tmp_path / "endless.jpg")).rgb()
    picture = open_image(str(tmp_path / "endless.jpg"))
    assert picture.rgb(ENDLESS).tobytes() == whole
    assert picture.sound_data == data
    with pytest.raises(ImageProblem):
        open_image(str(tmp_path / "half.jpg")).rgb(ENDLESS)
