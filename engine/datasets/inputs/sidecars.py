"""The captions of one image in files of its name: `X.txt`, `X.caption`, `X.text` or `X.json`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from engine.datasets.inputs.file_names import suffix_of
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.record_layouts import find_captions, texts_of
from engine.utils import jsonlines

Place = TypeVar("Place")

CAPTION_SUFFIXES = (".txt", ".caption", ".text", ".json")
"""The suffixes of files that hold an image's caption, in lower case. The first one with a caption
counts."""
MAX_BYTES = 16 << 20
"""Bytes of a caption's file; a larger one holds no caption, and must not fill the memory."""
LONELY = "captions without an image of the same name"
FURTHER = "further captions beside one image"
NO_CAPTION_INSIDE = "JSON files beside an image that have no caption under a usual key"


def captions_of_files(
    files: Iterable[tuple[str, Place]],
    read: Callable[[str, Place], bytes],
    options: ReadOptions,
    report: InputReport,
) -> list[str]:
    """Return the captions of an image, of which there may be none, from the files beside it.

    `files` are (name for people, what `read` takes) in the order in which they count: the first one
    with a caption is taken. JSON behind it is not looked at: as a rule it tells where the image was
    found. Raises `BadRecord`, and what `read` raises.
    """
    captions: list[str] = []
    for name, place in files:
        if not captions:
            captions = captions_in(name, read(name, place), options, report)
        elif suffix_of(name) != ".json":
            report.pass_over(FURTHER, name)
    return captions


def captions_in(name: str, data: bytes, options: ReadOptions, report: InputReport) -> list[str]:
    """Return the captions that a file holds. Raises `BadRecord`."""
    try:
        text = data.decode("utf-8-sig")
        if suffix_of(name) != ".json":
            return [text.strip()] if text.strip() else []
        value = jsonlines.loads(text.encode())
    except UnicodeDecodeError as error:
        raise BadRecord(f"{name} is not UTF-8 at byte {error.start:,}: save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"{name} is not JSON: {error}") from error
    try:
        if isinstance(value, dict):
            captions = find_captions(value, options)[1]
        else:
            captions = texts_of("the file", value)
    except ValueError:  # JSON of another kind
        captions = []
    if not captions:
        keys = list(value) if isinstance(value, dict) else []
        report.see_without_captions(keys)
        report.pass_over(NO_CAPTION_INSIDE, name, "name the key with --caption-column")
    return captions
