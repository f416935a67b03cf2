"""Reader of the images of one folder, each with its captions in files of its name beside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from engine.datasets.inputs.file_names import OWN_INPUT, suffix_of, why_no_image
from engine.datasets.inputs.folder_walk import FolderFiles
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.sidecars import (
    CAPTION_SUFFIXES,
    LONELY,
    MAX_BYTES,
    captions_of_files,
)
from engine.images.formats import image_suffixes, unread_suffixes
from engine.utils.plurals import plural


def images_with_captions(
    files: FolderFiles, options: ReadOptions, report: InputReport
) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each image, in order, and its captions, of which there may be none.

    A caption that cannot be read is a bad record. Raises `BadRecord`.
    """
    texts: dict[tuple[str, str], str] = {}
    """The files that may be captions, by their names without the suffix and by the suffix."""
    images: list[tuple[str, str]] = []
    """Each image after its name without the suffix."""
    others = []
    for name in files.names:
        suffix = suffix_of(name)
        if suffix in CAPTION_SUFFIXES:
            texts[name[: -len(suffix)], suffix] = name
        elif suffix in image_suffixes():
            images.append((name[: -len(suffix)], name))
        else:
            others.append(name)
    with_image: set[str] = set()
    """The texts beside an image."""
    sharing: list[str] = []
    """The images with a text that an earlier image has, too."""
    start = os.path.join(files.folder, "")  # noqa: PTH118 (text, for millions of names)
    for stem, image in images:
        names = names_beside(stem, image, texts)
        if not with_image.isdisjoint(names):
            sharing.append(image)
        with_image.update(names)
        paths = [f"{start}{name}" for name in names]
        try:
            captions = captions_of_files(zip(paths, paths, strict=True), read_file, options, report)
        except BadRecord as error:
            report.leave_out(error)
        else:
            yield image, captions
    if sharing:
        report.note(
            f"{files.folder}: {plural(len(sharing), 'image')} with the same caption as another one"
            f" with the same name but for the suffix, such as {sharing[0]}: move masks away"
        )
    for name in others:
        reason, advice = why_no_image(name)
        report.pass_over(reason, str(files.folder / name), advice)
        if suffix_of(name) in unread_suffixes():
            stem = name[: -len(suffix_of(name))]
            with_image.update(names_beside(stem, name, texts))
    for name in texts.values():
        if name not in with_image:
            report.pass_over(LONELY, str(files.folder / name), OWN_INPUT)


def names_beside(stem: str, image: str, texts: dict[tuple[str, str], str]) -> list[str]:
    """Return the texts of an image, in the order in which they count: `0.txt`, `0.jpg.txt`, ..."""
    keys = ((start, suffix) for suffix in CAPTION_SUFFIXES for start in (stem, image))
    return [texts[key] for key in keys if key in texts]


def read_file(name: str, path: str) -> bytes:
    """Return the content of a caption's file. Raises `BadRecord`."""
    try:
        # Without O_NONBLOCK a FIFO would block until somebody writes into it.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise BadRecord(f"{name} is no regular file")
            if status.st_size > MAX_BYTES:
                raise BadRecord(f"{name} has {status.st_size:,} bytes: is this a caption?")
            return os.read(handle, status.st_size)
        finally:
            os.close(handle)
    except OSError as error:
        raise BadRecord(f"cannot read {name}: {error.strerror or error}") from error
