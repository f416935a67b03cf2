"""File operations, and a model of a disk that knows which of them are certain to outlive a crash.

Paths are texts relative to the project's folder, "" is that folder itself. A file is a number, so
that it stays the same file when it is renamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

FOLDER = 0
"""The number that stands for every folder."""


@dataclass(frozen=True, slots=True)
class Write:
    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Link:
    """A new entry in a folder: of a new file, of a folder, or another one of a known file."""

    path: str
    file: int


@dataclass(frozen=True, slots=True)
class Rename:
    old: str
    new: str
    file: int


@dataclass(frozen=True, slots=True)
class Unlink:
    path: str


@dataclass(frozen=True, slots=True)
class SyncFile:
    file: int


@dataclass(frozen=True, slots=True)
class SyncFolder:
    path: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of SQLite: the database file holds `data` from now on, whatever happens."""

    file: int
    data: bytes


DataOperation = Write | Truncate
EntryOperation = Link | Rename | Unlink
Operation = DataOperation | EntryOperation | SyncFile | SyncFolder | Commit
Entries = dict[str, int]
"""Files by path."""


def parent(path: str) -> str:
    return path.rpartition("/")[0]


def with_data(content: bytes, operations: Iterable[DataOperation]) -> bytes:
    """Return the content of a file after these operations."""
    for operation in operations:
        if isinstance(operation, Truncate):
            content = content[: operation.size].ljust(operation.size, b"\0")
        else:
            end = operation.offset + len(operation.data)
            before = content[: operation.offset].ljust(operation.offset, b"\0")
            content = before + operation.data + content[end:]
    return content


def with_entries(entries: Entries, operations: Iterable[EntryOperation]) -> Entries:
    """Return the entries of all folders after these operations."""
    entries = dict(entries)
    for operation in operations:
        match operation:
            case Link(path, file):
                entries[path] = file
            case Rename(old, new, file):
                entries.pop(old, None)
                entries[new] = file
            case Unlink(path):
                entries.pop(path, None)
    return entries


def reachable(entries: Entries) -> Entries:
    """Return the entries all of whose folders are there, too."""

    def is_there(path: str) -> bool:
        folder = parent(path)
        return not folder or (entries.get(folder) == FOLDER and is_there(folder))

    return {path: file for path, file in entries.items() if is_there(path)}


@dataclass(frozen=True, slots=True)
class Disk:
    """What a disk holds for certain, and what was done since that may be lost. It never changes."""

    entries: Entries = field(default_factory=dict)
    """The entries that are certain."""
    contents: Mapping[int, bytes] = field(default_factory=dict)
    """The certain content of every file."""
    loose_entries: tuple[EntryOperation, ...] = ()
    """What was done to entries since their folder was synced, in order."""
    loose_data: Mapping[int, tuple[DataOperation, ...]] = field(default_factory=dict)
    """What was done to each file since it was synced, in order."""

    def after(self, operation: Operation) -> Disk:
        """Return the disk after one more operation."""
        match operation:
            case Write(file) | Truncate(file):
                done = (*self.loose_data.get(file, ()), operation)
                return replace(self, loose_data={**self.loose_data, file: done})
            case Commit(file, data):
                return replace(self, contents={**self.contents, file: data})
            case SyncFile(file):
                loose = dict(self.loose_data)
                content = with_data(self.contents.get(file, b""), loose.pop(file, ()))
                contents = {**self.contents, file: content}
                return replace(self, contents=contents, loose_data=loose)
            case SyncFolder(path):
                synced = [op for op in self.loose_entries if folder_of(op) == path]
                loose_entries = tuple(op for op in self.loose_entries if folder_of(op) != path)
                return replace(
                    self,
                    entries=with_entries(self.entries, synced),
                    loose_entries=loose_entries,
                )
            case Link() | Rename() | Unlink():
                return replace(self, loose_entries=(*self.loose_entries, operation))

    def content(self, file: int) -> bytes:
        """Return what a process reads in the file now."""
        return with_data(self.contents.get(file, b""), self.loose_data.get(file, ()))

    def visible_entries(self) -> Entries:
        """Return what a process finds in the folders now."""
        return reachable(with_entries(self.entries, self.loose_entries))

    def visible(self) -> dict[str, bytes | None]:
        """Return what a process reads now: the content of every file by path; None for a folder."""
        return {
            path: None if file == FOLDER else self.content(file)
            for path, file in self.visible_entries().items()
        }

    def certain(self) -> dict[str, bytes]:
        """Return the content of the files that outlives any crash, by path."""
        return {
            path: self.contents.get(file, b"")
            for path, file in reachable(self.entries).items()
            if file != FOLDER
        }


def folder_of(operation: EntryOperation) -> str:
    """Return the folder whose entry an operation changes. None of ours moves between folders."""
    return parent(operation.new if isinstance(operation, Rename) else operation.path)
