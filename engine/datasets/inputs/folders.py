"""Reader of folders: each folder below the input holds tars, a metadata file, or images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engine.datasets.inputs.arrow_tables import read_table
from engine.datasets.inputs.batch import RecordBatch, batch_of_pairs
from engine.datasets.inputs.file_names import (
    is_image,
    suffix_of,
    why_no_image,
)
from engine.datasets.inputs.folder_walk import FolderFiles, walk_folder
from engine.datasets.inputs.image_folder import images_with_captions
from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.json_reader import read_batches
from engine.datasets.inputs.named_images import NamedImages
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.several import caption_pairs
from engine.datasets.inputs.sidecars import CAPTION_SUFFIXES
from engine.datasets.inputs.tables import BATCH_ROWS, read_csv
from engine.datasets.inputs.tars import NoImages, read_tar
from engine.datasets.inputs.unread_files import is_unread_archive
from engine.utils.errors import BadInput

METADATA_NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
"""The names of Hugging Face's metadata files; the first one in a folder counts."""
BESIDE_TARS = "files beside tars (only the tars are read)"
UNNAMED_IMAGES = "images that the metadata file does not name"
TEXTS_BESIDE_METADATA = "texts beside images whose captions are in a metadata file"


def image_path(path: Path, root: Path) -> str:
    """Return the path as a record names it: relative to the image root if it lies in it."""
    path = path.absolute()
    root = root.absolute()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def read_folder(
    folder: Path, root: Path, options: ReadOptions, report: InputReport
) -> Iterator[RecordBatch]:
    """Yield the records of a folder and all folders below it. Raises `BadInput`.

    A folder holds WebDataset tars, a metadata file, or images with their captions beside them. The
    first two count for the folders in it, too: nothing but tars is read there, or only what the
    metadata file names, unless another one is nearer.
    """
    reader = FolderReader(root, options, report)
    left_out = report.skipped.count
    empty = True
    for files in walk_folder(folder, report):
        for batch in reader.read(files):
            empty = False
            yield batch
    if empty and report.skipped.count == left_out:
        found = "; ".join(report.reasons())
        has = f" (it has {found})" if found else ""
        raise BadInput(f"{folder} holds no images, no metadata.jsonl and no tars{has}")


def is_tar(name: str) -> bool:
    return suffix_of(name) == ".tar"


class FolderReader:
    """The reader of one folder after the other, each before those in it."""

    def __init__(self, root: Path, options: ReadOptions, report: InputReport) -> None:
        self.root = root
        self.options = options
        self.report = report
        self.metadata: dict[Path, NamedImages] = {}
        """What the metadata file that counts for a folder names, where there is one."""
        self.tar_folders: set[Path] = set()
        """The folders with tars, and those in them: nothing else is read there."""

    def read(self, files: FolderFiles) -> Iterator[RecordBatch]:
        """Yield the records of a folder, not those of the folders in it. Raises `BadInput`."""
        folder, names = files
        metadata_names = [name for name in METADATA_NAMES if name in names]
        metadata = self.metadata.get(folder.parent)
        if folder.parent in self.tar_folders or any(map(is_tar, names)):
            self.tar_folders.add(folder)
            yield from self.read_tars(files)
            return
        if metadata_names:
            metadata = NamedImages()
            yield from self.read_metadata(folder / metadata_names[0], metadata)
        if metadata is not None:
            self.metadata[folder] = metadata
            self.pass_over_unnamed(files, metadata, metadata_names[:1])
        else:
            yield from self.read_images(files)

    def read_tars(self, files: FolderFiles) -> Iterator[RecordBatch]:
        """Yield the records of the tars of a folder; tars without images are counted."""
        for name in files.names:
            path = files.folder / name
            if is_tar(name):
                address = image_path(path, self.root)
                try:
                    yield from read_tar(path, address, self.options, self.report)
                except NoImages:
                    self.report.pass_over("tars without images", str(path))
            else:
                is_archive = is_unread_archive(name)
                reason, advice = why_no_image(name) if is_archive else (BESIDE_TARS, "")
                self.report.pass_over(reason, str(path), advice)

    def read_metadata(self, path: Path, metadata: NamedImages) -> Iterator[RecordBatch]:
        """Yield the records of a metadata file, with image paths relative to the image root.

        Backslashes, which Windows writes, are slashes, as Hugging Face's `imagefolder` has it.
        """
        folder = path.parent
        for batch in read_metadata_file(path, self.options, self.report):
            images = [
                os.path.join(folder, image.replace("\\", "/"))  # noqa: PTH118
                for image in batch.images
            ]
            metadata.add(images)
            has_backslash = any("\\" in image for image in batch.images)
            if folder.absolute() == self.root.absolute() and not has_backslash:
                yield batch
            else:
                named = [image_path(Path(image), self.root) for image in images]
                yield batch_of_pairs(list(zip(named, batch.captions, strict=True)))
        metadata.sort()

    def pass_over_unnamed(self, files: FolderFiles, metadata: NamedImages, read: list[str]) -> None:
        """Count the files of a folder that a metadata file does not name, but for those `read`."""
        for name in files.names:
            path = os.path.join(files.folder, name)  # noqa: PTH118
            if is_image(name):
                if path not in metadata:
                    self.report.pass_over(UNNAMED_IMAGES, path)
            elif suffix_of(name) in CAPTION_SUFFIXES:
                self.report.pass_over(TEXTS_BESIDE_METADATA, path)
            elif name not in read:
                reason, advice = why_no_image(name)
                self.report.pass_over(reason, path, advice)

    def read_images(self, files: FolderFiles) -> Iterator[RecordBatch]:
        """Yield the images of a folder with the captions beside them."""
        start = image_path(files.folder, self.root)
        pairs: list[tuple[str, str]] = []
        for name, captions in images_with_captions(files, self.options, self.report):
            image = os.path.join(start, name) if start != "." else name  # noqa: PTH118
            pairs += caption_pairs(image, captions, self.options, self.report)
            if len(pairs) >= BATCH_ROWS:
                yield batch_of_pairs(pairs)
                pairs = []
        if pairs:
            yield batch_of_pairs(pairs)


def read_metadata_file(
    path: Path, options: ReadOptions, report: InputReport
) -> Iterator[RecordBatch]:
    """Yield the records of a metadata file, whose images are relative to its folder."""
    match suffix_of(path.name):
        case ".jsonl":
            return read_batches(path, path.parent, options, report)
        case ".csv":
            return read_csv(path, options, report)
    return read_table(path, path.name, options, report)
