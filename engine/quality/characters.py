"""The characters of many texts at once, as the bytes of UTF-8."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


class Characters:
    """The bytes of several texts, one text behind the other, with a 0 behind each.

    A 0 within a text is taken for a blank.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        lines = [text.replace("\0", " ") for text in texts]
        data = "\0".join([*lines, ""]).encode(errors="surrogatepass")
        self.codes = np.frombuffer(data, np.uint8)
        self.ends = np.flatnonzero(self.codes == 0)

    def hold(self, chosen: Mask) -> Mask:
        """Return which texts hold one of the bytes for which `chosen` is True."""
        starts = np.append(0, self.ends + 1)[:-1]
        found: Mask = np.logical_or.reduceat(chosen[self.codes], starts)
        return found

    def end_with(self, character: str) -> Mask:
        """Return which texts end with a character of ASCII."""
        found: Mask = self.codes[self.ends - 1] == ord(character)
        return found
