"""Known layouts of one JSON record: from its keys to image, captions and the rest.

Besides {"image", "caption"} these are other usual keys, lists of captions, LLaVA's conversations,
the messages of ms-swift, LLaMA-Factory and TRL, and Karpathy's sentences.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from engine.datasets.inputs.batch import Record, line_of
from engine.datasets.inputs.columns import (
    CAPTION_COLUMNS,
    DOWNLOAD,
    IMAGE_COLUMNS,
    LINKS,
    by_lower,
    find_name,
    listed,
    numbered_names,
)
from engine.datasets.inputs.conversations import ANSWERS, TURNS, answer_of, is_turn, pictures_of
from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.repeated_keys import PLAIN_KEYS, refuse_repeated
from engine.datasets.inputs.several import chosen_captions

TEXT_KEYS = ("raw", "caption", "text", "sentence", "assistant")
"""The keys of the text of an object that stands for a caption, as in Karpathy's `sentences`."""
PATH_KEYS = ("path", "file_name", "filename", "image")
"""The keys of the path of an object that stands for an image."""
NUMBERED = "caption_0"
"""What stands for all keys of captions with a number."""
OTHER_CAPTIONS = {*CAPTION_COLUMNS, *ANSWERS}
"""The keys, in lower case, under which an object without a usual `caption` may have one."""
NO_IMAGE = "records without an image"
"""What texts alone are, such as those among LLaVA's conversations."""
ONE_IMAGE = "a record is one image"
"""What to do about records with several images."""


class UnknownKeys(ValueError):
    """Raised for an object without a known key of images: all records of its file may be so."""


class NoImage(Exception):
    """Raised for a value that is a sound record of another kind, without one image.

    `reason` is a plural, and `advice` may be empty.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


def read_value(value: Any, source: str, options: ReadOptions, report: InputReport) -> list[Record]:
    """Return the records that a JSON value is: one, or one for each of its captions.

    `source` is the value's JSON, whose bytes a plain record keeps. Raises `ValueError` that says
    what is wrong, and `NoImage`.
    """
    if not isinstance(value, dict):
        raise ValueError(f'not an object with "image" and "caption" but {shortened(value)}')
    if is_plain(value, options):
        refuse_repeated(source, PLAIN_KEYS)
        # Outside of strings a line break is only layout, and inside it cannot stand raw.
        line = source.replace("\n", " ").replace("\r", " ").encode()
        return [Record(line, value["image"], value.get("caption") or "")]
    image_key, image = find_image(value, options)
    caption_key, captions = find_captions(value, options)
    refuse_repeated(source, (image_key, caption_key))
    return make_records(value, image_key, image, caption_key, captions, options, report)


def is_plain(value: dict[str, Any], options: ReadOptions) -> bool:
    """Return True if a value is {"image", "caption"}, or has no caption under any usual key."""
    if options.names_columns:
        return False
    image, caption = value.get("image"), value.get("caption")
    if not isinstance(image, str) or not image:
        return False
    if caption is None:
        return not may_have_caption(value)
    return isinstance(caption, str)


def may_have_caption(keys: Iterable[str]) -> bool:
    """Return True if an object with these keys may have a caption under another than `caption`."""
    names = by_lower(key for key in keys if key != "caption")
    return not OTHER_CAPTIONS.isdisjoint(names) or bool(numbered_names(names))


def make_records(
    value: dict[str, Any],
    image_key: str | None,
    image: str,
    caption_key: str | None,
    captions: list[str],
    options: ReadOptions,
    report: InputReport,
) -> list[Record]:
    """Return the records of an image with its captions, in the order of the captions.

    The keys of image and caption become `image` and `caption`, all others are kept. Of several
    captions the further ones are counted if the options ask for the first alone.
    """
    report.rewritten += 1
    renamed = {"image", "caption", image_key, caption_key}
    rest = {key: item for key, item in value.items() if key not in renamed}
    several = len(captions) > 1 and options.several_captions == "first"
    if several and caption_key is not None:
        rest.setdefault("captions", captions)
    return [
        Record(line_of({"image": image, "caption": caption} | rest), image, caption)
        for caption in chosen_captions(image, captions, options, report)
    ]


def find_image(value: dict[str, Any], options: ReadOptions) -> tuple[str | None, str]:
    """Return the key of the image path, None if it stands among messages, and the path.

    Raises `ValueError`, `NoImage`.
    """
    key = options.image_column
    if key is None:
        key = find_name(value, IMAGE_COLUMNS)
    turns = find_name(value, TURNS)
    if turns is not None and not (key and value.get(key)):  # text alone, or paths in its messages
        pictures = pictures_of(value[turns])
        if not pictures:
            raise NoImage(NO_IMAGE)
        return None, path_of(turns, pictures)
    if key is not None:
        if key not in value:
            raise UnknownKeys(f"no {key!r} (its keys are {listed(value)})")
        path = path_of(key, value[key])
        folder_then_name = key.lower() == "filepath" and isinstance(value.get("filename"), str)
        if folder_then_name and not PurePosixPath(path).suffix:  # Karpathy's splits
            path = str(PurePosixPath(path) / value["filename"])
        return key, path
    link = find_name(value, LINKS)
    if link is not None:
        raise UnknownKeys(f"it has a link ({link!r}) and no image path: {DOWNLOAD}")
    raise UnknownKeys(
        f"no 'image' or another usual key of image paths (its keys are {listed(value)}):"
        " name it with --image-column"
    )


def path_of(key: str, item: Any) -> str:
    """Return the path of an image, which may stand in an object or in a list of one.

    Raises `ValueError`, `NoImage`.
    """
    if isinstance(item, list):
        if len(item) > 1:
            raise NoImage("records of several images", ONE_IMAGE)
        if not item:
            raise NoImage(NO_IMAGE)
        item = item[0]
    if isinstance(item, dict):
        item = next((item[name] for name in PATH_KEYS if item.get(name)), item)
    if isinstance(item, dict) and "0" in item:  # as pandas writes a table, unless asked otherwise
        raise ValueError(
            f"{key!r} holds a whole column: write one object per record, to_json(orient='records')"
        )
    if isinstance(item, int | float):
        raise ValueError(
            f"{key!r} must be a path, not {shortened(item)}: a number names no file, so write the"
            " path of each image into its record"
        )
    if not isinstance(item, str) or not item:
        raise ValueError(f"{key!r} must be a path, not {shortened(item)}")
    if item.startswith("data:"):
        raise ValueError(f"{key!r} holds the image itself ('data:...'): write it to a file")
    return unquote(item.removeprefix("file://")) if item.startswith("file://") else item


def find_captions(value: dict[str, Any], options: ReadOptions) -> tuple[str | None, list[str]]:
    """Return the key that the captions stood for alone, None if it is kept, and the captions.

    Raises `ValueError` if there is something else in their place.
    """
    if options.caption_column is not None:
        key = options.caption_column
        return captions_under(key, value.get(key))
    names = by_lower(value)
    found: tuple[str | None, list[str]]
    problem: ValueError | None = None
    for candidate in (*CAPTION_COLUMNS, NUMBERED, *ANSWERS):
        try:
            if candidate is NUMBERED:
                found = None, numbered_captions(value)
            elif candidate in names:
                found = captions_under(names[candidate], value[names[candidate]])
            else:
                continue
        except ValueError as error:
            problem = problem or error
        else:
            if found[1]:
                return found
    if problem is not None:
        raise problem
    return None, []


def numbered_captions(value: dict[str, Any]) -> list[str]:
    """Return the captions under keys with a number. Raises `ValueError`."""
    return [text for name in numbered_names(value) for text in texts_of(name, value[name])]


def captions_under(key: str, item: Any) -> tuple[str | None, list[str]]:
    """Return a key, None if it is to be kept beside the captions, and the captions under it.

    Raises `ValueError`.
    """
    if isinstance(item, list) and any(map(is_turn, item)):
        return None, answer_of(item)
    plain = isinstance(item, str) or key.lower() == "caption"
    return (key if plain else None), texts_of(key, item)


def texts_of(key: str, item: Any) -> list[str]:
    """Return the texts that are not empty in a text, an object with one, or a list of these.

    Raises `ValueError`.
    """
    if item is None:
        return []
    if isinstance(item, str):
        return [item] if item else []
    if isinstance(item, list):
        return [text for part in item for text in texts_of(key, part)]
    if isinstance(item, dict):
        for name in TEXT_KEYS:
            if isinstance(item.get(name), str):
                return texts_of(key, item[name])
    raise ValueError(
        f"{key!r} must be text, not {shortened(item)}: --caption-column names another key"
    )


def shortened(value: Any) -> str:
    """Return a value as JSON of at most 40 characters."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."
