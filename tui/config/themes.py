"""Themes for people who cannot tell red from green: blue is good, orange is bad.

The colours are from the palette of Okabe and Ito.
"""

from __future__ import annotations

from textual.theme import Theme

COLOUR_BLIND_THEMES = (
    Theme(
        name="colour-blind-dark",
        dark=True,
        primary="#56B4E9",
        secondary="#CC79A7",
        accent="#F0E442",
        success="#56B4E9",
        warning="#F0E442",
        error="#E69F00",
        background="#101418",
        surface="#181d22",
        panel="#232a31",
        foreground="#e6e6e6",
    ),
    Theme(
        name="colour-blind-light",
        dark=False,
        primary="#0072B2",
        secondary="#AA4499",
        accent="#8A6D00",
        success="#0072B2",
        warning="#8A6D00",
        error="#B34700",
        background="#f4f4f4",
        surface="#ffffff",
        panel="#e4e8ec",
        foreground="#1a1a1a",
    ),
)
