"""A project of hostile captions and broken images."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from tests.readers.colours import number_of, picture
from tests.support.projects import model_choice, write_captions

MODELS = ("one", "two")
NAMES = ("original", *MODELS)
"""The names of captions, in the order of exports."""
SHARD_SIZE = 16
"""Records in a shard, and samples in a tar."""

CHAT_TOKENS = "</s> and <|endoftext|>"
"""Only originals hold them: shearing cuts them off what a model says."""
TEXTS = [
    "plain",
    'a "quoted" text, with commas',
    'starts "unclosed, and goes on',
    "it's ; semicolons; and | pipes",
    "two\nlines",
    "windows\r\nline",
    "old mac\rline",
    "a\ttab",
    "vertical\vfeed\fform",
    "next\x85line \u2028 and \u2029 more",
    "zero\0byte",
    "emoji \U0001f431 and \u732b, \u05d7\u05ea\u05d5\u05dc",
    "zero\u200bwidth and \ufeff mark",
    "half \ud83d surrogate",
    "an <image> in it",
    "ends with a backslash \\",
    "{one|two} braces {{",
    CHAT_TOKENS,
    "percent %s {} $HOME `id` #hash",
    "=1+1",
    "long " + "word " * 30_000 + "end",
]
"""What captions hold beside their number."""
BARE_TEXTS = ["NA", "null", "nan", "None", "n/a", "<NA>", "#N/A", "007", "1e5", "True", "-", "'"]
"""Whole captions, which tables take for a missing value or for something else than a text."""
SUFFIXES = ["jpg", "png", "webp", "jpeg", "JPG", "bmp", "gif", "tiff"]
"""The suffixes of the images, in turn; most are the first."""
FOLDERS = [
    "images",
    "with blank, comma",
    "quo'te",
    "um\u00e9\u732b",
    "100%#1",
    'back\\slash "quoted" <image>',
    "line\nbreak",
]
"""The folders of the images, in turn."""
NOT_UTF8 = {23: "caf\udce9"}
"""The folders, by image number, whose names are no UTF-8, as Python writes them."""


@dataclass(frozen=True)
class Broken:
    """An image that no model captioned."""

    error: str
    """The error of its rows in the caption logs."""
    data: bytes | None
    """The file's content, or None if there is no file."""


def truncated() -> bytes:
    """Return the first half of a JPEG file."""
    file = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(file, "JPEG")
    return file.getvalue()[: file.tell() // 2]


BROKEN = {
    5: Broken("corrupt", truncated()),
    11: Broken("missing", None),
    17: Broken("corrupt", b"<html>404</html>"),
    30: Broken("corrupt", b""),
}
"""The images that cannot be read, by number."""
EXCLUDED = 21
"""The number of a sound image that a person excluded."""
BARE_START = 40
"""The number of the first image whose captions are bare."""
COUNT = BARE_START + len(BARE_TEXTS)
"""The number of images."""
UNREADABLE = {*BROKEN, EXCLUDED}
"""The numbers of the images that are in no export unless that is asked for."""


@dataclass(frozen=True)
class HostileProject:
    """The project, and what is true of it."""

    project: Project
    images: list[str]
    """The image path of each record, below the project's parent folder."""
    captions: list[dict[str, str]]
    """The captions of each record that has a sound image, by name."""

    @property
    def root(self) -> Path:
        """The folder of the images."""
        return self.project.folder.parent

    def pairs(
        self,
        names: tuple[str, ...] = NAMES,
        as_read: Callable[[str], str] = lambda text: text,
        keep: Callable[[str], bool] = lambda text: True,
        any_path: bool = False,
    ) -> list[tuple[int, str]]:
        """Return (image number, caption) of all captions of these names, sorted.

        `as_read` is what a reader makes of a text; `keep` says which texts it can get, and
        `any_path` is True if it also gets images whose paths in the input are no UTF-8.
        """
        return sorted(
            (number, as_read(captions[name]))
            for number, captions in enumerate(self.captions)
            if number not in UNREADABLE and (any_path or number not in NOT_UTF8)
            for name in names
            if name in captions and keep(captions[name])
        )

    def first_captions(self, keep: Callable[[str], bool]) -> list[tuple[int, str]]:
        """Return (image number, caption) of the first caption of each image that a reader can get:
        the original if there is one."""
        first: dict[int, str] = {}
        for number, captions in enumerate(self.captions):
            texts = [captions[name] for name in NAMES if keep(captions.get(name, "\ud800"))]
            if texts and number not in UNREADABLE:
                first[number] = texts[0]
        return sorted(first.items())

    def number_at(self, path: str | Path) -> int:
        """Return the number that the image at a path tells, absolute or below `root`."""
        with Image.open(self.root / path) as image:
            return number_of(image)


def is_utf8(text: str) -> bool:
    """Return True if a text has no lone surrogate."""
    return not re.search(r"[\ud800-\udfff]", text)


def pandas_takes_for_missing(text: str) -> bool:
    """Return True if pandas takes a cell with this text for none."""
    return text in {"NA", "null", "nan", "None", "n/a", "<NA>", "#N/A"}


def one_line(text: str) -> str:
    """Return a text as formats write it that hold one line a caption."""
    return re.sub(r"[\r\n\0\v\f\x1c-\x1e\x85\u2028\u2029]+", " ", text)


def caption(name: str, number: int) -> str:
    """Return the caption by this name of an image."""
    if number >= BARE_START:
        return BARE_TEXTS[(number + len(name)) % len(BARE_TEXTS)]
    text = TEXTS[number % len(TEXTS)]
    if text == CHAT_TOKENS and name != "original":
        text = "no tokens"
    if text.startswith("long"):
        return f"{text} {name} {number}"
    return f"{name} {number} {text}" if number % 2 else f"{text} {name} {number}"


def captions_of(number: int) -> dict[str, str]:
    """Return the captions of an image by name: a few images lack some."""
    if number in BROKEN:
        return {"original": caption("original", number)}
    names = list(NAMES)
    if number in (3, 12):
        names.remove("original")
    if number in (6, 12):
        names.remove("two")
    if number == 8:
        names = ["original"]
    return {name: caption(name, number) for name in names}


def make_hostile_project(folder: Path) -> HostileProject:
    """Make the images, the input and the project in `folder`, and write its captions."""
    images, records = [], []
    for number in range(COUNT):
        suffix = SUFFIXES[number % 24] if number % 24 < len(SUFFIXES) else "jpg"
        name = NOT_UTF8.get(number, FOLDERS[number % len(FOLDERS)])
        image = f"{name}/{number:03}.{suffix}"
        images.append(image)
        write_image(folder / image, number)
        captions = captions_of(number)
        records.append({"image": image} | {"caption": captions.get("original", "")})
    (folder / "captions.json").write_text(json.dumps(records))
    models = [model_choice(name) for name in MODELS]
    made = create(
        folder / "run",
        NewProject(captions=[folder / "captions.json"], models=models, shard_size=SHARD_SIZE),
    )
    write_captions(made.project, log_row)
    return HostileProject(made.project, images, [captions_of(n) for n in range(COUNT)])


def write_image(path: Path, number: int) -> None:
    """Write the image of a record: its picture, what is broken of it, or nothing."""
    path.parent.mkdir(exist_ok=True)
    if number not in BROKEN:
        picture(number).save(path)
    elif (data := BROKEN[number].data) is not None:
        path.write_bytes(data)


def log_row(model: str, shard: int, i: int) -> dict[str, object]:
    """Return the caption log's row of a record, without its index."""
    number = shard * SHARD_SIZE + i
    if number in BROKEN:
        return {"error": BROKEN[number].error, "detail": "broken"}
    if number == EXCLUDED:
        return {"error": "excluded", "detail": "by a person"}
    text = captions_of(number).get(model)
    if text is None:
        return {"error": "refused", "detail": "the server does not want it"}
    return {"raw": f"{text}. More.", "tokens": 9, "finish": "stop"}
