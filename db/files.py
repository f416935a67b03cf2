"""The files of a database, looked at before SQLite opens them: a project may be a received one.

SQLite follows a symbolic link in place of the database, and waits for ever at a pipe. A journal is
worse: it may name a second file, which SQLite deletes once it has rolled the database back. No
transaction of ours writes such a journal, since none spans two databases.

The look comes before the opening, so that a process of the same user could still put a link there
in between. Such a process can do without us what the link would have us do; what the look keeps out
is what came with the project.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

COMPANIONS = ("-journal", "-wal", "-shm")
"""What SQLite adds to a database's name for the files that it keeps beside it."""
JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
"""The last bytes of a journal that names a second file (https://sqlite.org/fileformat2.html)."""


class NotOneFile(Exception):
    """Raised if a database, or what SQLite keeps beside it, is no regular file."""


class ForeignJournal(Exception):
    """Raised if the journal would have SQLite delete another file."""


def companions(database: Path) -> list[Path]:
    """Return the paths of the files that SQLite keeps beside a database."""
    return [database.with_name(database.name + suffix) for suffix in COMPANIONS]


def check_files(database: Path) -> None:
    """Look at a database and the files beside it; none of them need exist.

    Raises `NotOneFile`, `ForeignJournal`, `OSError`.
    """
    for path in (database, *companions(database)):
        with suppress(FileNotFoundError):
            mode = os.lstat(path).st_mode
            if not stat.S_ISREG(mode):
                raise NotOneFile(f"{path} is not a regular file but {kind_of(mode)}: remove it")
            if path.name.endswith("-journal"):
                check_journal(path)


def kind_of(mode: int) -> str:
    """Return what a mode of `stat` stands for, for a message."""
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"


def check_journal(path: Path) -> None:
    """Raise `ForeignJournal` if a journal names a second file. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        size = os.fstat(handle).st_size
        end = os.pread(handle, len(JOURNAL_MAGIC), max(0, size - len(JOURNAL_MAGIC)))
    finally:
        os.close(handle)
    if size > len(JOURNAL_MAGIC) and end == JOURNAL_MAGIC:
        raise ForeignJournal(f"{path} would have SQLite delete another file")


def remove_database(database: Path) -> None:
    """Remove a database and the files beside it, as far as they exist. Raises `OSError`."""
    for path in (database, *companions(database)):
        path.unlink(missing_ok=True)
