"""Pillow's limit on pixels: lifted while images are opened here, otherwise left alone."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from engine.images.image import MAX_PIXELS, open_image, open_image_bytes
from engine.images.pillow_limit import PillowLimitLifted
from tests.engine.images.test_image import huge_png, noise

SMALL_LIMIT = 1000
"""Pixels: of the 64 x 48 pixels of `noise`, Pillow refuses as many from 2000 on."""


def test_importing_the_package_leaves_the_limit_alone() -> None:
    code = (
        "from PIL import Image; before = Image.MAX_IMAGE_PIXELS\n"
        "import engine.images, engine.datasets.exports.export\n"
        "print(before is not None and Image.MAX_IMAGE_PIXELS == before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.mark.filterwarnings("error")
def test_an_image_of_as_many_pixels_as_we_allow_is_opened() -> None:
    before = Image.MAX_IMAGE_PIXELS
    picture = open_image_bytes(huge_png(20_000, MAX_PIXELS // 20_000))
    assert (picture.width, picture.height) == (20_000, 10_000)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "gif", "bmp"])
def test_images_beyond_the_limit_of_the_program_open_in_several_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"image.{suffix}"
    noise().save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", SMALL_LIMIT)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)
    with ThreadPoolExecutor(4) as pool:
        sizes = set(pool.map(lambda _: open_image(str(path)).rgb().size, range(40)))
    assert sizes == {(64, 48)}
    assert Image.MAX_IMAGE_PIXELS == SMALL_LIMIT


def test_the_limit_returns_when_the_last_thread_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", SMALL_LIMIT)
    lifted = PillowLimitLifted()
    with pytest.raises(ValueError, match="bad data"), lifted:
        with lifted:
            assert Image.MAX_IMAGE_PIXELS is None
        assert Image.MAX_IMAGE_PIXELS is None, "one thread is still inside"
        raise ValueError("bad data")
    assert Image.MAX_IMAGE_PIXELS == SMALL_LIMIT
