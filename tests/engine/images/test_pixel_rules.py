"""Decoded pixels become the same RGB picture for every family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageOps

from engine.captioners import settings
from engine.captioners.preprocessing.picture_rules import pixel_rules
from engine.captioners.setting_changes import apply_changes
from engine.captioners.settings import Settings
from engine.images import pixel_rules as module
from engine.images.image import ImageProblem, open_image
from engine.images.pixel_rules import PixelRules


def grey(path: Path) -> list[int]:
    """Return the first row of a grey image as it is captioned."""
    rgb = np.asarray(open_image(str(path)).rgb())
    assert (rgb[..., 0] == rgb[..., 2]).all()
    return [int(value) for value in rgb[0, :, 0]]


@pytest.mark.parametrize(
    ("samples", "dtype", "expected"),
    [
        ([0, 87, 133, 255], np.int32, [0, 87, 133, 255]),
        ([0, 256, 40_000, 65_535], np.int32, [0, 1, 156, 255]),
        ([0, 1, 2, 255], np.uint16, [0, 0, 0, 0]),
        ([0, 40_000, 256, 65_535], np.uint16, [0, 156, 1, 255]),
        ([0, 87 / 255, 133 / 255, 1], np.float32, [0, 87, 133, 255]),
        ([0, 87, 133.4, 255], np.float32, [0, 87, 133, 255]),
        ([0, 40_000, 256, 65_535], np.float32, [0, 156, 1, 255]),
    ],
)
def test_wide_samples_are_scaled(
    tmp_path: Path, samples: list[float], dtype: Any, expected: list[int]
) -> None:
    Image.fromarray(np.array([samples], dtype)).save(tmp_path / "a.tif")
    assert grey(tmp_path / "a.tif") == expected


@pytest.mark.parametrize(
    ("samples", "dtype"),
    [
        ([-5, 10], np.int32),
        ([0, 70_000], np.int32),
        ([-0.1, 1], np.float32),
        ([0, 1e6], np.float32),
        ([0.5, np.nan, 1], np.float32),
        ([0.5, np.inf, 1], np.float32),
    ],
)
def test_samples_without_a_known_range_fail_with_their_reason(
    tmp_path: Path, samples: list[float], dtype: Any
) -> None:
    Image.fromarray(np.array([samples], dtype)).save(tmp_path / "a.tif")
    with pytest.raises(ImageProblem, match="an unknown range: convert the image to 8 bits"):
        open_image(str(tmp_path / "a.tif")).rgb()


def test_16_bits_in_a_png_or_pgm_are_scaled_by_their_range(tmp_path: Path) -> None:
    """A dark picture stays dark: the file says how many bits a sample has."""
    Image.fromarray(np.array([[0, 1, 200, 60_000]], np.uint16)).save(tmp_path / "a.png")
    assert grey(tmp_path / "a.png") == [0, 0, 0, 234]
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 65535\n\x00\xc8\xea\x60")
    assert grey(tmp_path / "a.pgm") == [0, 234]


def transparent(mode: str) -> Image.Image:
    """A black disc's middle and corner: two pixels, the second one transparent."""
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (10, 20, 30, 0))
    return image.convert(mode)


def test_transparency_is_dropped_as_the_official_code_does(tmp_path: Path) -> None:
    transparent("RGBA").save(tmp_path / "a.png")
    rgb = open_image(str(tmp_path / "a.png")).rgb()
    assert (rgb.getpixel((0, 0)), rgb.getpixel((1, 0))) == ((0, 0, 0), (10, 20, 30))


@pytest.mark.parametrize(("mode", "suffix"), [("RGBA", "png"), ("LA", "png"), ("RGBA", "webp")])
def test_alpha_white_lays_the_picture_on_white(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    transparent(mode).save(path, lossless=True)
    rgb = open_image(str(path)).rgb(PixelRules(alpha="white"))
    assert (rgb.getpixel((0, 0)), rgb.getpixel((1, 0))) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize(("mode", "suffix"), [("P", "gif"), ("P", "png"), ("L", "png")])
def test_alpha_white_heeds_a_transparent_colour(tmp_path: Path, mode: str, suffix: str) -> None:
    image = Image.new(mode, (2, 1), 1)
    if mode == "P":
        image.putpalette([9, 9, 9, 50, 60, 70])
    image.putpixel((1, 0), 0)
    path = tmp_path / f"a.{suffix}"
    image.save(path, transparency=0)
    rgb = open_image(str(path)).rgb(PixelRules(alpha="white"))
    assert rgb.getpixel((1, 0)) == (255, 255, 255)
    assert rgb.getpixel((0, 0)) == ((50, 60, 70) if mode == "P" else (1, 1, 1))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_upright_turns_the_picture(tmp_path: Path, format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.new("RGB", (64, 48), "teal")
    stored.paste("orange", (0, 0, 40, 16))
    stored.save(tmp_path / "a", format, exif=exif, quality=100)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "a")).convert("RGB")
    for rules, expected in ((PixelRules(), stored), (PixelRules(exif="upright"), upright)):
        rgb = open_image(str(tmp_path / "a")).rgb(rules)
        assert rgb.size == expected.size
        difference = np.asarray(ImageChops.difference(rgb, expected))
        assert difference.mean() < 2, f"{rules}: more than the rounding of JPEG and WebP"


def test_the_settings_have_the_values_of_the_rules() -> None:
    assert module.Alpha.__args__ == settings.ALPHAS  # type: ignore[attr-defined]
    assert module.Exif.__args__ == settings.EXIFS  # type: ignore[attr-defined]
    assert module.JpegEnd.__args__ == settings.JPEG_ENDS  # type: ignore[attr-defined]
    assert pixel_rules(Settings()) == PixelRules()
    changed = apply_changes(Settings(), {"alpha": "white", "exif": "upright"})
    assert pixel_rules(changed) == PixelRules(alpha="white", exif="upright")
