"""The formats of images that are read, and those that are named as not read."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from engine.images import image
from engine.images.formats import (
    image_formats,
    image_suffixes,
    looks_like_image,
    unread_format,
    unread_suffixes,
)
from engine.images.image import ImageProblem, open_image_bytes

COLOUR = (200, 30, 60)
LOSSLESS = ["BMP", "DDS", "DIB", "ICNS", "ICO", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA"]
LOSSY = ["AVIF", "GIF", "JPEG", "JPEG2000", "MPO", "TIFF", "WEBP"]


def saved(form: str) -> bytes:
    out = BytesIO()
    Image.new("RGB", (64, 64), COLOUR).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize("form", [*LOSSLESS, *LOSSY])
def test_what_pillow_saves_is_read_as_what_it_is(form: str) -> None:
    picture = open_image_bytes(saved(form))
    assert picture.image.format == ("JPEG" if form == "MPO" else form)
    pixel = picture.rgb().getpixel((5, 5))
    assert isinstance(pixel, tuple)
    assert all(abs(a - b) <= 3 for a, b in zip(pixel, COLOUR, strict=True))


def test_every_suffix_belongs_to_a_format_that_is_read() -> None:
    usual = {".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
    assert usual | {".jp2", ".j2k", ".ppm", ".pgm", ".tga", ".mpo"} <= image_suffixes()
    assert not {".eps", ".ps", ".wmf", ".h5", ".mpg", ".pdf", ".svg"} & image_suffixes()
    assert not unread_suffixes().keys() & image_suffixes()
    assert image_formats()[-1] == "TGA" and not {"EPS", "WMF"} & set(image_formats())


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\xff\x0a\xcb\x06", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x1cftypisom", None),
        (b"\xff\xd8\xff", None),
        (b"", None),
    ],
)
def test_a_format_that_lacks_a_package_is_told_from_damage(
    data: bytes, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unread_format(data) == name
    monkeypatch.setattr(image, "image_formats", lambda: ["JPEG"])  # as if no package was there
    with pytest.raises(ImageProblem) as caught:
        open_image_bytes(data)
    assert caught.value.kind == ("corrupt" if name is None else "unreadable")
    if name is not None:
        assert f"reads {name}" in caught.value.detail


def test_the_most_usual_formats_are_known_by_their_start() -> None:
    for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        assert looks_like_image(saved(form)[:16])
    for data in (b"", b"7", b"a caption", b'{"caption": "a"}', b"\x93NUMPY\x01\0"):
        assert not looks_like_image(data)


def test_the_extra_reads_heic_and_jpeg_xl() -> None:
    pytest.importorskip("pillow_heif")
    pytest.importorskip("pillow_jxl")
    for form in ("HEIF", "JXL"):
        assert open_image_bytes(saved(form)).rgb().size == (64, 64)
    assert {".heic", ".heif", ".jxl"} <= image_suffixes()
