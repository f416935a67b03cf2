"""Folders of images with their captions beside them, and WebDataset tars."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path, PurePosixPath

from engine.datasets.inputs.batch import Batch, batch_of
from engine.datasets.inputs.byte_stream import opened
from engine.datasets.inputs.tables import LONGEST_LINE, ROWS, choose_columns, read_csv, text_lines
from engine.images import tar_members
from engine.utils import jsonlines
from engine.utils.errors import BadInput

Pairs = Iterator[tuple[str, str]]

SUFFIXES = {
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"),
    *(".tif", ".tiff", ".jp2", ".avif", ".ppm", ".tga"),
}


def batches(pairs: Pairs) -> Iterator[Batch]:
    while chunk := list(islice(pairs, ROWS)):
        yield batch_of(chunk)


def located(path: Path, root: Path) -> str:
    """As a record names it: relative to the image root where it lies in it."""
    path = path.absolute()
    root = root.absolute()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def read_folder(
    folder: Path, root: Path, image: str | None, caption: str | None
) -> Iterator[Batch]:
    """WebDataset tars in it, metadata.jsonl or metadata.csv, or images with .txt beside them.

    Raises `BadInput`.
    """
    archives = sorted(folder.glob("*.tar"))
    if archives:
        for archive in archives:
            yield from read_tar(archive, root)
    elif (folder / "metadata.jsonl").is_file():
        yield from placed(read_metadata(folder / "metadata.jsonl", image, caption), folder, root)
    elif (folder / "metadata.csv").is_file():
        yield from placed(read_csv(folder / "metadata.csv", image, caption), folder, root)
    else:
        found = False
        for batch in batches(images_with_texts(folder, root)):
            found = True
            yield batch
        if not found:
            raise BadInput(f"{folder} holds no images, no metadata.jsonl and no tars")


def placed(found: Iterator[Batch], folder: Path, root: Path) -> Iterator[Batch]:
    """Image paths that were relative to `folder`."""
    if folder.absolute() == root.absolute():
        yield from found
        return
    for batch in found:
        images = [located(folder / image, root) for image in batch.images]
        yield batch_of(list(zip(images, batch.captions, strict=True)))


def images_with_texts(folder: Path, root: Path) -> Pairs:
    """In the order of names; an image without a text file has an empty caption."""
    for place, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        there = set(names)
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 (a name, no path)
            if suffix.lower() not in SUFFIXES:
                continue
            text = f"{stem}.txt"
            path = Path(place)
            yield located(path / name, root), read_text(path / text) if text in there else ""


def read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 at byte {error.start:,}: save it as UTF-8") from error
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error


def read_metadata(path: Path, image: str | None, caption: str | None) -> Iterator[Batch]:
    """Hugging Face's metadata.jsonl: `file_name` and a text column."""
    with opened(path) as stream:
        yield from batches(metadata_pairs(path, text_lines(stream), image, caption))


def metadata_pairs(
    path: Path, lines: Iterator[str], image: str | None, caption: str | None
) -> Pairs:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = jsonlines.loads(line.encode())
            if not isinstance(row, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path}: not JSON: {error} (at line {number:,})") from error
        name, text = choose_columns(path, list(row), image, caption)
        found, said = row[name], row[text] if text else ""
        if not isinstance(found, str) or not found or not isinstance(said or "", str):
            raise BadInput(f"{path}: {name!r} and {text!r} must be text (at line {number:,})")
        yield found, said or ""


def read_tar(archive: Path, root: Path) -> Iterator[Batch]:
    """WebDataset's layout: KEY.jpg with KEY.txt or KEY.json beside it. Raises `BadInput`.

    Nothing is unpacked: a record's image is `ARCHIVE/MEMBER`, which `engine.images.image` opens.
    """
    tar = None
    try:
        with tarfile.open(archive, "r:") as tar:
            name = located(archive, root)
            found = False
            for batch in batches(samples(archive, name, tar)):
                found = True
                yield batch
            if not found:
                raise BadInput(f"{archive} holds no images")
            refuse_cut(archive, tar.offset)
    except (tarfile.TarError, EOFError, ValueError) as error:
        at = 0 if tar is None else tar.offset
        raise BadInput(
            f"{archive}: not a sound tar: {error} (at byte {at:,}): fetch it again, or unpack it"
            " if it is compressed"
        ) from error
    except OSError as error:
        raise BadInput(f"cannot read {archive}: {error.strerror or error}") from error


def refuse_cut(archive: Path, end: int) -> None:
    """tarfile takes the end of the file and a damaged header for the end of the archive."""
    with archive.open("rb") as file:
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it is cut short or damaged: the archive does not end")


def samples(archive: Path, name: str, tar: tarfile.TarFile) -> Pairs:
    for _, members in groupby(
        tar_members.members(tar), key=lambda member: stem_and_kind(member.name)[0]
    ):
        image, texts = "", {}
        for member in members:
            kind = stem_and_kind(member.name)[1]
            if f".{kind}" in SUFFIXES:
                image = image or member.name
            elif kind in ("txt", "json"):
                texts[kind] = read_member(archive, tar, member)
        if image:
            yield f"{name}/{image}", caption_of(archive, image, texts)


def stem_and_kind(name: str) -> tuple[str, str]:
    """WebDataset's key and extension: the name is cut at its first dot."""
    path = PurePosixPath(name)
    stem, _, kind = path.name.partition(".")
    return str(path.parent / stem), kind.lower()


def read_member(archive: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > LONGEST_LINE:
        raise BadInput(f"{archive}: {member.name!r} has {member.size:,} bytes: is this a caption?")
    file = tar.extractfile(member)
    data = b"" if file is None else file.read()
    if len(data) < member.size:
        raise tarfile.ReadError(f"{member.name!r} is cut off")
    return data


def caption_of(archive: Path, image: str, texts: dict[str, bytes]) -> str:
    try:
        if "txt" in texts:
            return texts["txt"].decode("utf-8-sig").strip()
        if "json" in texts:
            said = jsonlines.loads(texts["json"]).get("caption")
            return said if isinstance(said, str) else ""
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadInput(f"{archive}: the text beside {image!r} cannot be read: {error}") from error
    return ""
