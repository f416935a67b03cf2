"""Text that can be read in every theme: its contrast is at least that of WCAG 2.2, 1.4.3."""

from __future__ import annotations

import re
from functools import lru_cache

from rich.color import Color as RichColor
from rich.color import ColorType
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

LEAST_CONTRAST = 4.5
"""Contrast of text of usual size, by WCAG 2.2's level AA."""
MARGIN = 0.05
"""Contrast above the least that is aimed at, since colours have whole parts of 255."""
TEXT = re.compile(r"\w")
"""What text has and a bar, a frame or a picture of half blocks has not."""
STEPS = 7
"""Halvings of the way to black or white: closer than one part of 255."""


class ReadableText(LineFilter):
    """Draws text lighter or darker where it has too little contrast with what is behind it.

    A theme's colours are kept where they can be read. Colours that only the terminal knows stay.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            Segment(it.text, readable(it.style, background))
            if it.style is not None and it.control is None and TEXT.search(it.text)
            else it
            for it in segments
        ]


@lru_cache(maxsize=4096)
def readable(style: Style, background: Color) -> Style:
    """Return a style in which text has `LEAST_CONTRAST`, as close to `style` as can be."""
    text, behind = style.color, style.bgcolor
    if behind is None or behind.is_default:
        behind = background.rich_color
    if text is None or style.reverse or {text.type, behind.type} != {ColorType.TRUECOLOR}:
        return style
    found = readable_color(text.get_truecolor(), behind.get_truecolor())
    return style + Style(color=RichColor.from_triplet(found))


def readable_color(text: ColorTriplet, behind: ColorTriplet) -> ColorTriplet:
    """Return the colour nearest to `text`, on its way to black or white, that can be read."""
    if contrast(text, behind) >= LEAST_CONTRAST:
        return text
    black, white = ColorTriplet(0, 0, 0), ColorTriplet(255, 255, 255)
    end = max(black, white, key=lambda colour: contrast(colour, behind))
    near, far = 0.0, 1.0
    for _ in range(STEPS):
        middle = (near + far) / 2
        if contrast(blend(text, end, middle), behind) >= LEAST_CONTRAST + MARGIN:
            far = middle
        else:
            near = middle
    return blend(text, end, far)


def blend(first: ColorTriplet, second: ColorTriplet, share: float) -> ColorTriplet:
    """Return the colour at this share of the way from the first to the second."""
    return ColorTriplet(
        *(round(one + (other - one) * share) for one, other in zip(first, second, strict=True))
    )


def contrast(first: ColorTriplet, second: ColorTriplet) -> float:
    """Return the contrast of two colours, from 1 to 21, as WCAG defines it."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: ColorTriplet) -> float:
    """Return the relative luminance of a colour, from 0 to 1, as WCAG defines it."""
    red, green, blue = (linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(part: float) -> float:
    """Return a part of an sRGB colour, from 0 to 1, as the intensity of its light."""
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
