"""Readers of folders of images with their captions beside them, and of WebDataset tars."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path, PurePosixPath

from engine.datasets.inputs.batch import RecordBatch, batch_of_pairs
from engine.datasets.inputs.byte_stream import open_stream
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.tables import (
    BATCH_ROWS,
    LONGEST_LINE,
    choose_columns,
    read_csv,
    text_lines,
)
from engine.images.tar_reading import DamagedTar, TarReader
from engine.utils import jsonlines
from engine.utils.errors import BadInput

Pairs = Iterator[tuple[str, str]]
"""Records as (image, caption)."""

SUFFIXES = {
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"),
    *(".tif", ".tiff", ".jp2", ".avif", ".ppm", ".tga"),
}
"""Suffixes of images, in lower case."""


def batches(pairs: Pairs) -> Iterator[RecordBatch]:
    """Yield the pairs in batches."""
    while chunk := list(islice(pairs, BATCH_ROWS)):
        yield batch_of_pairs(chunk)


def image_path(path: Path, root: Path) -> str:
    """Return the path as a record names it: relative to the image root if it lies in it."""
    path = path.absolute()
    root = root.absolute()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def read_folder(
    folder: Path, root: Path, options: ReadOptions, report: InputReport
) -> Iterator[RecordBatch]:
    """Yield the records of a folder. Raises `BadInput`.

    It holds WebDataset tars, or metadata.jsonl or metadata.csv, or images with .txt files beside
    them.
    """
    archives = sorted(folder.glob("*.tar"))
    if archives:
        for archive in archives:
            yield from read_tar(archive, root, report)
    elif (folder / "metadata.jsonl").is_file():
        records = read_metadata(folder / "metadata.jsonl", options)
        yield from relative_to_root(records, folder, root)
    elif (folder / "metadata.csv").is_file():
        records = read_csv(folder / "metadata.csv", options, report)
        yield from relative_to_root(records, folder, root)
    else:
        empty = True
        for batch in batches(images_with_texts(folder, root)):
            empty = False
            yield batch
        if empty:
            raise BadInput(f"{folder} holds no images, no metadata.jsonl and no tars")


def relative_to_root(
    records: Iterator[RecordBatch], folder: Path, root: Path
) -> Iterator[RecordBatch]:
    """Yield the records with image paths relative to the image root instead of `folder`."""
    if folder.absolute() == root.absolute():
        yield from records
        return
    for batch in records:
        images = [image_path(folder / image, root) for image in batch.images]
        yield batch_of_pairs(list(zip(images, batch.captions, strict=True)))


def images_with_texts(folder: Path, root: Path) -> Pairs:
    """Yield all images below a folder in the order of their names, each with its text file's text.

    An image without a text file has an empty caption.
    """
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        names_here = set(names)
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 (a name, no path)
            if suffix.lower() not in SUFFIXES:
                continue
            text_name = f"{stem}.txt"
            path = Path(parent)
            caption = read_text(path / text_name) if text_name in names_here else ""
            yield image_path(path / name, root), caption


def read_text(path: Path) -> str:
    """Return the text of a caption's own file. Raises `BadInput`."""
    try:
        return path.read_bytes().decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 at byte {error.start:,}: save it as UTF-8") from error
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error


def read_metadata(path: Path, options: ReadOptions) -> Iterator[RecordBatch]:
    """Yield the records of Hugging Face's metadata.jsonl: `file_name` and a text column."""
    with open_stream(path) as stream:
        yield from batches(metadata_pairs(path, text_lines(stream), options))


def metadata_pairs(path: Path, lines: Iterator[str], options: ReadOptions) -> Pairs:
    """Yield (image, caption) of every line of a metadata.jsonl. Raises `BadInput`."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = jsonlines.loads(line.encode())
            if not isinstance(row, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path}: not JSON: {error} (at line {number:,})") from error
        name, text_name = choose_columns(path, list(row), options)
        file_name, text = row[name], row[text_name] if text_name else ""
        if not isinstance(file_name, str) or not file_name or not isinstance(text or "", str):
            raise BadInput(f"{path}: {name!r} and {text_name!r} must be text (at line {number:,})")
        yield file_name, text or ""


def read_tar(archive: Path, root: Path, report: InputReport) -> Iterator[RecordBatch]:
    """Yield the records of a tar in WebDataset's layout: KEY.jpg with KEY.txt or KEY.json beside.

    Nothing is unpacked: a record's image is `ARCHIVE/MEMBER`, which `engine.images.image` opens.
    Raises `BadInput`. If bad records are left out, a damaged tar ends before its damage.
    """
    left_out = report.skipped.count
    try:
        with TarReader(str(archive)) as tar:
            empty = True
            for batch in batches(tar_pairs(archive, image_path(archive, root), tar, report)):
                empty = False
                yield batch
            if empty and report.skipped.count == left_out:
                raise BadInput(f"{archive} holds no images")
    except OSError as error:
        raise BadInput(f"cannot read {archive}: {error.strerror or error}") from error


def tar_pairs(archive: Path, archive_path: str, tar: TarReader, report: InputReport) -> Pairs:
    """Yield (image, caption) of every key of a tar; `archive_path` is the tar as records name it.

    Neighbouring members of one key belong together; the first image among them counts. A record
    whose text cannot be read is bad, and so is all that follows a damaged place, with the record
    before it, which may be incomplete. Raises `BadRecord` unless the report leaves these out.
    """
    try:
        for _, members in groupby(
            tar.regular_members(), key=lambda member: key_and_extension(member.name)[0]
        ):
            image, texts = "", {}
            for member in members:
                extension = key_and_extension(member.name)[1]
                if f".{extension}" in SUFFIXES:
                    image = image or member.name
                elif extension in ("txt", "json"):
                    texts[extension] = member
            if not image:
                continue
            try:
                caption = caption_of(archive, image, tar, texts)
            except BadRecord as error:
                report.leave_out(error)
            else:
                yield f"{archive_path}/{image}", caption
    except DamagedTar as error:
        problem = f"{archive}: not a sound tar: {error}"
        if not report.skip_bad:
            raise BadRecord(
                f"{problem}: fetch it again, or unpack it if it is compressed"
            ) from error
        report.skipped.add(f"{problem}: the rest of it is left out")


def key_and_extension(name: str) -> tuple[str, str]:
    """Return WebDataset's key and extension: the name is cut at its first dot."""
    path = PurePosixPath(name)
    stem, _, extension = path.name.partition(".")
    return str(path.parent / stem), extension.lower()


def caption_of(archive: Path, image: str, tar: TarReader, texts: dict[str, tarfile.TarInfo]) -> str:
    """Return the caption among an image's texts, by extension: .txt counts before .json.

    Without a text it is empty. Raises `BadRecord`, `DamagedTar`.
    """
    member = texts.get("txt") or texts.get("json")
    if member is None:
        return ""
    if member.size > LONGEST_LINE:
        raise BadRecord(f"{archive}: {member.name!r} has {member.size:,} bytes: is this a caption?")
    data = tar.read(member)
    try:
        if "txt" in texts:
            return data.decode("utf-8-sig").strip()
        caption = jsonlines.loads(data).get("caption")
        return caption if isinstance(caption, str) else ""
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadRecord(f"{archive}: the text beside {image!r} cannot be read: {error}") from error
