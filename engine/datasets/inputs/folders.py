"""Readers of folders of images with their captions beside them, and of WebDataset tars."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path, PurePosixPath

from engine.datasets.inputs.batch import RecordBatch, batch_of_pairs
from engine.datasets.inputs.byte_stream import open_stream
from engine.datasets.inputs.tables import (
    BATCH_ROWS,
    LONGEST_LINE,
    choose_columns,
    read_csv,
    text_lines,
)
from engine.images import tar_members
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
    folder: Path, root: Path, image: str | None, caption: str | None
) -> Iterator[RecordBatch]:
    """Yield the records of a folder. Raises `BadInput`.

    It holds WebDataset tars, or metadata.jsonl or metadata.csv, whose columns `image` and `caption`
    name, or images with .txt files beside them.
    """
    archives = sorted(folder.glob("*.tar"))
    if archives:
        for archive in archives:
            yield from read_tar(archive, root)
    elif (folder / "metadata.jsonl").is_file():
        records = read_metadata(folder / "metadata.jsonl", image, caption)
        yield from relative_to_root(records, folder, root)
    elif (folder / "metadata.csv").is_file():
        records = read_csv(folder / "metadata.csv", image, caption)
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


def read_metadata(path: Path, image: str | None, caption: str | None) -> Iterator[RecordBatch]:
    """Yield the records of Hugging Face's metadata.jsonl: `file_name` and a text column."""
    with open_stream(path) as stream:
        yield from batches(metadata_pairs(path, text_lines(stream), image, caption))


def metadata_pairs(
    path: Path, lines: Iterator[str], image: str | None, caption: str | None
) -> Pairs:
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
        name, text_name = choose_columns(path, list(row), image, caption)
        file_name, text = row[name], row[text_name] if text_name else ""
        if not isinstance(file_name, str) or not file_name or not isinstance(text or "", str):
            raise BadInput(f"{path}: {name!r} and {text_name!r} must be text (at line {number:,})")
        yield file_name, text or ""


def read_tar(archive: Path, root: Path) -> Iterator[RecordBatch]:
    """Yield the records of a tar in WebDataset's layout: KEY.jpg with KEY.txt or KEY.json beside.

    Nothing is unpacked: a record's image is `ARCHIVE/MEMBER`, which `engine.images.image` opens.
    Raises `BadInput`.
    """
    tar = None
    try:
        with tarfile.open(archive, "r:") as tar:
            archive_path = image_path(archive, root)
            empty = True
            for batch in batches(tar_pairs(archive, archive_path, tar)):
                empty = False
                yield batch
            if empty:
                raise BadInput(f"{archive} holds no images")
            refuse_cut_archive(archive, tar.offset)
    except (tarfile.TarError, EOFError, ValueError) as error:
        offset = 0 if tar is None else tar.offset
        raise BadInput(
            f"{archive}: not a sound tar: {error} (at byte {offset:,}): fetch it again, or unpack"
            " it if it is compressed"
        ) from error
    except OSError as error:
        raise BadInput(f"cannot read {archive}: {error.strerror or error}") from error


def refuse_cut_archive(archive: Path, end: int) -> None:
    """Raise `tarfile.ReadError` unless the block of zeros that ends a tar is at the offset `end`.

    tarfile itself takes the end of the file and a damaged header for the end of the archive.
    """
    with archive.open("rb") as file:
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it is cut short or damaged: the archive does not end")


def tar_pairs(archive: Path, archive_path: str, tar: tarfile.TarFile) -> Pairs:
    """Yield (image, caption) of every key of a tar; `archive_path` is the tar as records name it.

    Neighbouring members of one key belong together; the first image among them counts.
    """
    for _, members in groupby(
        tar_members.regular_members(tar), key=lambda member: key_and_extension(member.name)[0]
    ):
        image, texts = "", {}
        for member in members:
            extension = key_and_extension(member.name)[1]
            if f".{extension}" in SUFFIXES:
                image = image or member.name
            elif extension in ("txt", "json"):
                texts[extension] = read_member(archive, tar, member)
        if image:
            yield f"{archive_path}/{image}", caption_of(archive, image, texts)


def key_and_extension(name: str) -> tuple[str, str]:
    """Return WebDataset's key and extension: the name is cut at its first dot."""
    path = PurePosixPath(name)
    stem, _, extension = path.name.partition(".")
    return str(path.parent / stem), extension.lower()


def read_member(archive: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return the bytes of a text in a tar. Raises `BadInput` and `tarfile.ReadError`."""
    if member.size > LONGEST_LINE:
        raise BadInput(f"{archive}: {member.name!r} has {member.size:,} bytes: is this a caption?")
    file = tar.extractfile(member)
    data = b"" if file is None else file.read()
    if len(data) < member.size:
        raise tarfile.ReadError(f"{member.name!r} is cut off")
    return data


def caption_of(archive: Path, image: str, texts: dict[str, bytes]) -> str:
    """Return the caption among an image's texts, by extension: .txt counts before .json.

    Without a text it is empty. Raises `BadInput`.
    """
    try:
        if "txt" in texts:
            return texts["txt"].decode("utf-8-sig").strip()
        if "json" in texts:
            caption = jsonlines.loads(texts["json"]).get("caption")
            return caption if isinstance(caption, str) else ""
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadInput(f"{archive}: the text beside {image!r} cannot be read: {error}") from error
    return ""
