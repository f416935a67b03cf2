"""Rules by which image paths are turned into others, in the JSON of records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from operator import ne
from pathlib import PurePosixPath

from engine.datasets.inputs.batch import RecordBatch
from engine.images.image import map_prefix
from engine.utils import jsonlines

KEYS = (b'"image": "', b'"image":"')
"""The key of the image and the quotation mark of its path, as json.dump and others write them."""
BLANKS = " \t\r\n"
"""The characters that JSON allows between values."""


@dataclass(frozen=True, slots=True)
class PathRules:
    """How image paths are turned into others."""

    path_map: tuple[tuple[str, str], ...] = ()
    """(old prefix, new prefix); the first old one that a path starts with is replaced."""
    image_root: str | None = None
    """Put before every path that is relative then; None puts nothing there."""

    def map(self, image: str) -> str:
        """Return the new path of an image."""
        mapped = map_prefix(image, self.path_map)
        image = image if mapped is None else mapped
        if self.image_root is None or image.startswith("/"):
            return image
        return str(PurePosixPath(self.image_root) / image)

    def replacement(self, images: Sequence[str]) -> tuple[str, str, int] | None:
        """Return one replacement of a prefix that stands for the rules on these images.

        That is the old prefix, the new one, and how many images have it. Returns None if the rules
        do more than that.
        """
        joined = "\n" + "\n".join(images)  # one look at all, which is the quicker way
        has_one = len(self.path_map) == 1 and "\\" not in self.path_map[0][0]
        if self.image_root is None and has_one:
            old, new = self.path_map[0]
            return old, new, joined.count("\n" + old)
        is_plain = not any(odd in joined for odd in ("\n/", "//", "\n.", "/."))
        if self.image_root is not None and not self.path_map and is_plain:
            return "", str(PurePosixPath(self.image_root) / "_")[:-1], len(images)
        return None


def rewrite_batch(batch: RecordBatch, rules: PathRules) -> tuple[bytes, int]:
    """Return the JSON of the records with their new paths, commas between them.

    Every other byte stays as it is. With it comes the number of paths that are new.
    """
    if not rules.path_map and rules.image_root is None:
        return batch.text, 0
    replacement = rules.replacement(batch.images)
    if replacement is not None and batch.text.count(b'"image"') == len(batch):
        old, new, count = replacement
        old_text, new_text = (jsonlines.dumps(text)[1:-1] for text in (old, new))
        for key in KEYS:
            parts = batch.text.split(key + old_text)  # a count and a replacement in one look
            if len(parts) == count + 1:
                return (key + new_text).join(parts), count if new != old else 0
    images = list(map(rules.map, batch.images))
    changed = sum(map(ne, images, batch.images))
    return b",\n".join(map(with_image, batch.lines, images)), changed


def with_image(line: bytes, image: str) -> bytes:
    """Return the JSON of a record with another image path, and its other bytes as they are."""
    text = line.decode("utf-8", "surrogatepass")
    start, end = image_span(text)
    new = jsonlines.dumps(image).decode()
    return f"{text[:start]}{new}{text[end:]}".encode("utf-8", "surrogatepass")


def image_span(text: str) -> tuple[int, int]:
    """Return where the value of `image` begins and ends in the JSON of a record.

    Of several, the last one counts, as for all readers.
    """
    decoder = json.JSONDecoder()
    position, span = text.index("{") + 1, (0, 0)
    while text[position := skip(text, position, BLANKS + ",")] != "}":
        key, position = decoder.raw_decode(text, position)
        position = skip(text, position, BLANKS + ":")
        _, end = decoder.raw_decode(text, position)
        if key == "image":
            span = position, end
        position = end
    return span


def skip(text: str, position: int, characters: str) -> int:
    """Return the position of the next character that is none of these."""
    while text[position] in characters:
        position += 1
    return position
