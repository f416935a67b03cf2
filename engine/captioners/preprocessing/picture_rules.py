"""The pixel rules that a model's settings ask for."""

from __future__ import annotations

from typing import cast

from engine.captioners.settings import Settings
from engine.images.pixel_rules import Alpha, Exif, JpegEnd, PixelRules


def pixel_rules(settings: Settings) -> PixelRules:
    """Return how files become the pictures of a model with these settings."""
    return PixelRules(
        alpha=cast("Alpha", settings.alpha),
        exif=cast("Exif", settings.exif),
        jpeg_end=cast("JpegEnd", settings.jpeg_end),
    )
