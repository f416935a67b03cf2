"""Image files of exports: as they are, or encoded again with the pixels that the models saw."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from engine.datasets.exports.image_files import (
    DEFAULT_QUALITY,
    ImageEncoding,
    parse_encoding,
    read_image_file,
    shared_rules,
)
from engine.images.image import ImagePaths, ImageProblem, open_image_bytes
from engine.images.pixel_rules import PixelRules
from engine.utils.errors import BadInput
from tests.engine.datasets.exports.shards import model

KNOWN = (".jpg", ".png", ".jpeg", ".webp")
ROTATED = 6
"""The EXIF orientation of an image that a viewer turns by a quarter."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of pictures in many formats and under many names."""
    picture = Image.linear_gradient("L").resize((60, 40)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    picture.save(tmp_path / "a.JPG", quality=95, exif=exif, icc_profile=b"profile")
    picture.save(tmp_path / "b.bmp")
    picture.convert("RGBA").save(tmp_path / "c.tif")
    (tmp_path / "d.dat").write_bytes((tmp_path / "a.JPG").read_bytes())
    (tmp_path / "e").write_bytes((tmp_path / "a.JPG").read_bytes())
    (tmp_path / "broken.gif").write_bytes(b"GIF89a no")
    return tmp_path


@pytest.mark.parametrize(
    ("image", "suffix", "same"),
    [
        ("a.JPG", ".jpg", True),
        ("d.dat", ".jpg", True),
        ("e", ".jpg", True),
        ("b.bmp", ".png", False),
        ("c.tif", ".png", False),
    ],
)
def test_a_reader_gets_a_suffix_that_it_knows_and_every_pixel(
    folder: Path, image: str, suffix: str, same: bool
) -> None:
    file = read_image_file(ImagePaths(str(folder)), image, KNOWN, None)
    content = (folder / image).read_bytes()
    assert (file.suffix, file.data == content) == (suffix, same)
    pixels = open_image_bytes(content).rgb().tobytes()
    assert open_image_bytes(file.data).rgb().tobytes() == pixels


def test_a_format_that_the_reader_knows_stays_even_if_it_is_broken(folder: Path) -> None:
    paths = ImagePaths(str(folder))
    assert read_image_file(paths, "broken.gif", (".gif",), None).data == b"GIF89a no"
    for known, encoding in ((KNOWN, None), ((".gif",), ImageEncoding("jpg"))):
        with pytest.raises(ImageProblem):
            read_image_file(paths, "broken.gif", known, encoding)


@pytest.mark.parametrize("kind", ["jpg", "webp"])
@pytest.mark.parametrize(
    ("max_side", "size"), [(None, (60, 40)), (60, (60, 40)), (30, (30, 20)), (1, (1, 1))]
)
def test_an_encoded_image_is_as_the_models_saw_it_and_smaller(
    folder: Path, kind: str, max_side: int | None, size: tuple[int, int]
) -> None:
    """It is not turned, and says nothing that would have a reader turn it."""
    encoding = ImageEncoding(kind, 95, max_side)
    file = read_image_file(ImagePaths(str(folder)), "a.JPG", KNOWN, encoding)
    image = Image.open(BytesIO(file.data))
    assert (file.suffix, image.size) == (f".{kind}", size)
    assert not image.getexif() and "icc_profile" not in image.info
    if max_side is None:
        seen = open_image_bytes((folder / "a.JPG").read_bytes()).rgb()
        far = [abs(a - b) for a, b in zip(image.convert("RGB").tobytes(), seen.tobytes())]  # noqa: B905
        assert max(far) < 16
    again = read_image_file(ImagePaths(str(folder)), "a.JPG", KNOWN, encoding)
    assert again.data == file.data, "the same image gives the same bytes"


def test_the_pixels_are_those_that_all_models_saw(folder: Path) -> None:
    upright = replace(model(1), settings={"exif": "upright", "prompt": "What?"})
    assert shared_rules([upright, replace(upright, id=2)]) == PixelRules(exif="upright")
    assert shared_rules([upright, model(2)]) == PixelRules(), "they saw different ones"
    for rules, size in ((PixelRules(), (60, 40)), (PixelRules(exif="upright"), (40, 60))):
        encoding = ImageEncoding("jpg", 95, rules=rules)
        file = read_image_file(ImagePaths(str(folder)), "a.JPG", KNOWN, encoding)
        assert Image.open(BytesIO(file.data)).size == size


@pytest.mark.parametrize(
    ("option", "max_side", "encoding"),
    [
        (None, None, None),
        ("jpg", None, ImageEncoding("jpg", DEFAULT_QUALITY)),
        ("webp:1", 512, ImageEncoding("webp", 1, 512)),
        ("jpg:100", None, ImageEncoding("jpg", 100)),
    ],
)
def test_the_options(
    option: str | None, max_side: int | None, encoding: ImageEncoding | None
) -> None:
    assert parse_encoding(option, max_side) == encoding


@pytest.mark.parametrize(
    ("option", "max_side"),
    [("png", None), ("jpg:0", None), ("jpg:101", None), ("jpg:", None), ("", None), (None, 5)],
)
def test_options_that_make_no_sense(option: str | None, max_side: int | None) -> None:
    with pytest.raises(BadInput, match=r"jpg.*webp"):
        parse_encoding(option, max_side)
