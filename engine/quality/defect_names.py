"""The defects of a caption, as bits of one number, and their names."""

from __future__ import annotations

from enum import IntFlag


class Defect(IntFlag):
    """A defect of one caption. The values are stored: a new defect gets a new bit."""

    EMPTY = 1
    """The sheared text has no word."""
    TRUNCATED = 2
    """The raw text was cut by the cap on new tokens, or breaks off within a sentence."""
    LOOP = 4
    """The sheared text repeats itself."""
    REFUSAL = 8
    """The sheared text says that the model cannot caption the image."""
    LEAK = 16
    """The raw text holds parts of a prompt, a template, reasoning or a data format."""
    LEAD_IN = 32
    """The raw text begins with something else than the caption."""
    OTHER_SCRIPT = 64
    """The sheared text is in another language or script than asked."""
    BEYOND_CLIP = 128
    """The sheared text has more tokens than CLIP reads."""
    REASONING = 256
    """The raw text holds a model's reasoning, which shearing cuts. It is a leak, too."""


DEFECT_NAMES = {
    "loops": Defect.LOOP,
    "empty": Defect.EMPTY,
    "truncated": Defect.TRUNCATED,
    "refusals": Defect.REFUSAL,
    "leaks": Defect.LEAK,
    "reasoning": Defect.REASONING,
    "lead_ins": Defect.LEAD_IN,
    "other_script": Defect.OTHER_SCRIPT,
    "beyond_clip": Defect.BEYOND_CLIP,
}
"""The defects by their names in outputs and options."""
