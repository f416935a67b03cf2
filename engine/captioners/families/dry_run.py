"""The `dry-run` family: opens and decodes every image and answers without a model.

It serves to check a data set before days of GPU time, for tests, and for measuring the supervisor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.captioners.base import Caption, Captioner
from engine.captioners.preprocessing.picture_rules import pixel_rules
from engine.captioners.registry import Settings
from engine.images.image import Picture


class DryRunCaptioner(Captioner):
    """Captions an image with its size, its mode and the checksum of its file."""

    def __init__(self, settings: Settings) -> None:
        self.batch = settings.batch
        self.pixel_rules = pixel_rules(settings)

    def prepare(self, picture: Picture) -> str:
        text = (
            f"{picture.width}x{picture.height} {picture.mode} image,"
            f" crc32 {picture.crc32:08x}. This second sentence is here to be sheared."
        )
        picture.rgb(self.pixel_rules)
        return text

    def caption(self, inputs: Sequence[str], record_ids: Sequence[int]) -> list[Caption]:
        return [Caption(text, len(text.split()), "stop") for text in inputs]


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> DryRunCaptioner:
    """Return the captioner, which uses the batch and the pixel rules of the settings."""
    return DryRunCaptioner(settings)
