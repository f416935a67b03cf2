"""What becomes of an image that comes with several captions."""

from __future__ import annotations

from collections.abc import Sequence

from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.read_options import ReadOptions


def chosen_captions(
    image: str, captions: Sequence[str], options: ReadOptions, report: InputReport
) -> Sequence[str]:
    """Return the caption of each record that an image becomes; an empty one if there is none.

    If the options ask for the first alone, the others are counted.
    """
    if len(captions) > 1 and options.several_captions == "first":
        report.pass_over(
            "further captions of one image",
            f"{captions[1][:80]!r} of {image}",
            "--several-captions each makes a record of each",
            count=len(captions) - 1,
        )
        return captions[:1]
    return captions or [""]


def caption_pairs(
    image: str, captions: Sequence[str], options: ReadOptions, report: InputReport
) -> list[tuple[str, str]]:
    """Return (image, caption) of each record that an image becomes."""
    return [(image, caption) for caption in chosen_captions(image, captions, options, report)]
