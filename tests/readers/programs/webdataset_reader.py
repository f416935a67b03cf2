"""The library webdataset, as its manual reads pairs of image and text."""

from __future__ import annotations

from typing import Any

import webdataset

from tests.readers.colours import number_of


def samples(tars: list[str]) -> list[dict[str, Any]]:
    """Return each sample's image number, text and JSON."""
    data = webdataset.WebDataset(tars, shardshuffle=False).decode("pil")
    images = "jpg;jpeg;png;webp;bmp;gif;tiff"
    pairs = data.to_tuple(images, "txt", "json")
    return [{"number": number_of(image), "txt": txt, "json": j} for image, txt, j in pairs]
