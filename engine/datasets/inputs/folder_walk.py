"""The files below a folder, without what systems hide there and without going round in circles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from engine.datasets.inputs.file_names import HIDDEN_FILES, is_hidden
from engine.datasets.inputs.input_report import BadRecord, InputReport

LINKS_BACK = "links to folders that are read anyway"


class FolderFiles(NamedTuple):
    """The files of one folder, not those of the folders in it."""

    folder: Path
    names: list[str]
    """The names of the files in order, without hidden ones."""


def walk_folder(root: Path, report: InputReport) -> Iterator[FolderFiles]:
    """Yield a folder and all folders below it: each before those in it, which are in order.

    A link is followed if it leads to a folder that would not be read otherwise. What is hidden, and
    other links, are counted. A folder that cannot be read is a bad record. Raises `BadRecord`.
    """
    links = FolderLinks(root)

    def on_error(error: OSError) -> None:
        report.leave_out(BadRecord(f"cannot read {error.filename}: {error.strerror or error}"))

    for parent, folders, names in os.walk(root, onerror=on_error, followlinks=True):
        kept = []
        for name in sorted(folders):
            path = os.path.join(parent, name)  # noqa: PTH118 (a hundred thousand folders)
            if is_hidden(name):
                report.pass_over(HIDDEN_FILES, path)
            elif links.leads_back(path):
                report.pass_over(LINKS_BACK, path)
            else:
                kept.append(name)
        folders[:] = kept
        visible = []
        for name in sorted(names):
            if is_hidden(name):
                report.pass_over(HIDDEN_FILES, os.path.join(parent, name))  # noqa: PTH118
            else:
                visible.append(name)
        yield FolderFiles(Path(parent), visible)


class FolderLinks:
    """The links to folders that a walk has met. All paths have their links resolved."""

    def __init__(self, root: Path) -> None:
        self.read: set[str] = set()
        """The folders that are read with all that is not hidden in them."""
        self.above: set[str] = set()
        """These folders, and all folders that hold one of them."""
        self.add(os.path.realpath(root))

    def add(self, folder: str) -> None:
        self.read.add(folder)
        self.above.update(with_parents(folder))

    def leads_back(self, path: str) -> bool:
        """Return True for a link to a folder that is or will be read anyway, or that holds one."""
        if not Path(path).is_symlink():
            return False
        target = os.path.realpath(path)
        if target in self.above:
            return True
        for parent in with_parents(target):
            if parent in self.read and not is_hidden(os.path.relpath(target, parent)):
                return True
        self.add(target)
        return False


def with_parents(folder: str) -> list[str]:
    """Return a folder and all folders that it lies in."""
    return [folder, *map(str, Path(folder).parents)]
