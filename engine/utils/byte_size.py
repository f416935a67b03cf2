"""Sizes in bytes, as people write them."""

from __future__ import annotations

import re

from engine.utils.errors import BadInput

BYTE_SIZE = re.compile(r"([0-9]{1,12})\s*([kmg]?)b?", re.IGNORECASE)


def parse_byte_size(text: str) -> int:
    """Return a size in bytes, such as 500M or 2GB: k, M, G are thousands, millions, billions.

    Raises `BadInput`.
    """
    match = BYTE_SIZE.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise BadInput(f"{text!r} is no size: write a number of bytes, or 500M or 2G")
    size: int = int(match[1]) * 1000 ** " kmg".index(match[2].lower() or " ")
    return size
