"""The pictures that servers get are the pixels that local models see."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, PngImagePlugin

from engine.captioners.remote import picture_encoding
from engine.captioners.remote.picture_encoding import encode_picture
from engine.images.image import open_image
from engine.images.pixel_rules import OFFICIAL_RULES, PixelRules

TURNED = Image.Exif()
TURNED[0x0112] = 6


def sent(path: Path, rules: PixelRules = OFFICIAL_RULES) -> tuple[str, bytes]:
    """Return the media type and the content of the file that a server gets."""
    kind, _, data = encode_picture(open_image(str(path)), rules).partition(";base64,")
    return kind.removeprefix("data:"), base64.b64decode(data)


def seen_by_server(data: bytes) -> Image.Image:
    """Return the picture as a server that heeds tags and lays transparency on grey sees it."""
    image: Image.Image = Image.open(io.BytesIO(data))
    orientation = image.getexif().get(0x0112, 1)
    assert orientation == 1, "the server would turn it"
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "grey")
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return image.convert("RGB")


def scene(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    image = Image.new("RGB", size, (220, 30, 30))
    image.paste((30, 60, 220), (size[0] // 2, 0, *size))
    if mode not in ("RGBA", "LA"):
        return image.convert(mode)
    image = image.convert(mode)
    image.putalpha(Image.linear_gradient("L").resize(size))
    return image


@pytest.mark.parametrize(
    ("format", "mode", "options", "media_type"),
    [
        ("JPEG", "RGB", {}, "image/jpeg"),
        ("JPEG", "L", {}, "image/jpeg"),
        ("PNG", "RGB", {}, "image/png"),
        ("PNG", "L", {}, "image/png"),
        ("WEBP", "RGB", {}, "image/webp"),
        ("MPO", "RGB", {}, "image/jpeg"),
    ],
)
def test_a_file_in_which_every_server_finds_the_pixels_is_sent_as_it_lies(
    tmp_path: Path, format: str, mode: str, options: dict[str, Any], media_type: str
) -> None:
    path = tmp_path / "image"
    scene(mode).save(path, format, **options)
    assert sent(path) == (media_type, path.read_bytes())


@pytest.mark.parametrize(
    ("format", "mode", "options"),
    [
        ("PNG", "RGBA", {}),
        ("PNG", "LA", {}),
        ("PNG", "P", {"transparency": 0}),
        ("PNG", "RGB", {"transparency": (220, 30, 30)}),
        ("PNG", "L", {"transparency": 85}),
        ("PNG", "1", {}),
        ("PNG", "I;16", {}),
        ("PNG", "RGB", {"exif": TURNED}),
        ("GIF", "P", {"transparency": 0}),
        ("WEBP", "RGBA", {}),
        ("WEBP", "RGB", {"exif": TURNED}),
        ("WEBP", "RGB", {"save_all": True, "append_images": [scene().rotate(180)]}),
        ("TIFF", "RGBA", {}),
        ("TIFF", "RGB", {"exif": TURNED}),
        ("TIFF", "F", {}),
        ("BMP", "RGB", {}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "RGB", {"exif": TURNED}),
        ("JPEG", "L", {"exif": TURNED}),
        ("JPEG", "CMYK", {"exif": TURNED}),
    ],
)
@pytest.mark.parametrize("rules", [OFFICIAL_RULES, PixelRules(alpha="white", exif="upright")])
def test_a_server_sees_the_pixels_of_a_local_model(
    tmp_path: Path, format: str, mode: str, options: dict[str, Any], rules: PixelRules
) -> None:
    path = tmp_path / "image"
    scene(mode).save(path, format, **options)
    _, data = sent(path, rules)
    expected = open_image(str(path)).rgb(rules)
    assert seen_by_server(data).size == expected.size
    assert ImageChops.difference(seen_by_server(data), expected).getbbox() is None


def test_a_jpeg_keeps_its_own_bytes_but_the_tags(tmp_path: Path) -> None:
    """Encoding it anew would change its pixels."""
    path, plain = tmp_path / "turned.jpg", tmp_path / "plain.jpg"
    scene().save(path, exif=TURNED)
    scene().save(plain)
    assert sent(path) == ("image/jpeg", plain.read_bytes())


def test_a_turn_that_xmp_asks_for_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "xmp.jpg"
    scene().save(path, xmp=b'<x tiff:Orientation="6"/>')
    assert open_image(str(path)).image.getexif().get(0x0112) == 6
    assert seen_by_server(sent(path)[1]).size == (64, 48)


def test_texts_that_a_reader_refuses_do_not_reach_the_server(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("workflow", "x" * 2_000_000, zip=True)
    scene().save(tmp_path / "text.png", pnginfo=texts)
    assert seen_by_server(sent(tmp_path / "text.png")[1]).getpixel((1, 1)) == (220, 30, 30)


@pytest.mark.parametrize(
    ("name", "options"),
    [("large.png", {}), ("large.jpg", {"exif": TURNED}), ("large.tif", {})],
)
def test_a_large_file_is_sent_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(picture_encoding, "MAX_FILE_BYTES", 1000)
    scene(size=(3000, 1500)).save(tmp_path / name, **options)
    media_type, data = sent(tmp_path / name)
    assert media_type == "image/jpeg"
    assert seen_by_server(data).size == (2048, 1024)


def test_a_picture_that_makes_a_large_png_is_sent_as_a_jpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_encoding, "MAX_FILE_BYTES", 5000)
    noise = Image.effect_noise((64, 48), 90).convert("RGB")
    noise.save(tmp_path / "noise.bmp")
    media_type, data = sent(tmp_path / "noise.bmp")
    assert (media_type, seen_by_server(data).size) == ("image/jpeg", (64, 48))
