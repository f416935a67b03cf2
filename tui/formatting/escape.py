"""Makes text from outside safe for any terminal."""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"
"""The zero-width non-joiner and joiner stay: scripts and emoji need them."""


def visible(text: str) -> str:
    """Return the text with control and formatting characters replaced by visible ones."""
    if text.isprintable():
        return text
    return "".join(visible_character(character) for character in text)


def visible_character(character: str) -> str:
    if character.isprintable() or character in JOINERS:
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if unicodedata.category(character) == "Zs":
        return " "
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
