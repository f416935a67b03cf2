"""Reading the members of a tar in order, whatever its headers claim.

tarfile believes a header: a negative size leads it round in a circle, a large one into reading
gigabytes, a chain of headers into recursion without end. Here it sees the archive through
`HeaderFile`, which goes forwards only and gives out few bytes a member.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from collections.abc import Iterator
from typing import Any

MAX_HEADER_BYTES = 2**20
"""Most bytes that the headers of one member may take: a name and its attributes have a few
thousand."""

PADDING_BYTES = 2**20
"""Bytes behind the end of an archive that are read at a time."""

END_BYTES = 2 * tarfile.BLOCKSIZE
"""Bytes of zeros that end an archive. Most writers fill it up with more, to a whole number of
records of `tarfile.RECORDSIZE` bytes; some end it here."""

MAGIC = b"ustar"
MAGIC_PLACE = 257
"""Where `MAGIC` stands in a header, in bytes."""
TYPE_PLACE = 156
"""Where the type of a member stands in its header, in bytes."""
FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.LNKTYPE)


class DamagedTar(tarfile.ReadError):
    """Raised for a tar that is cut short or whose headers make no sense; `offset` is in bytes."""

    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(f"{problem} (at byte {offset:,})")
        self.problem = problem
        self.offset = offset


class HeaderFile:
    """The file that tarfile reads headers from. A read or seek that no sound tar needs is refused.

    Raises `tarfile.ReadError`.
    """

    def __init__(self, handle: int, size: int) -> None:
        self.handle = handle
        self.size = size
        """Size of the archive in bytes."""
        self.position = 0
        self.bytes_left = MAX_HEADER_BYTES
        """Bytes that may still be read for the present member."""
        self.last_read = b""

    def tell(self) -> int:
        return self.position

    def seek(self, position: int) -> None:
        if position < self.position:
            raise tarfile.ReadError("a member has a negative size")
        if position > self.size:
            raise tarfile.ReadError("a member ends beyond the end of the file")
        self.position = position

    def read(self, count: int) -> bytes:
        if count < 0:
            raise tarfile.ReadError("a header has a negative size")
        if count > self.bytes_left:
            raise tarfile.ReadError(f"the headers of a member have over {MAX_HEADER_BYTES:,} bytes")
        self.bytes_left -= count
        self.last_read = os.pread(self.handle, count, self.position)
        self.position += len(self.last_read)
        return self.last_read


class TarReader:
    """An open tar. It keeps nothing of the members that it yields; use it in a `with` block."""

    def __init__(self, archive: str) -> None:
        """Open the archive. Raises `OSError`, also for anything but a regular file."""
        # Without O_NONBLOCK a FIFO would block until somebody writes into it.
        self.handle = os.open(archive, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(self.handle)
        self.size = status.st_size
        """Size of the archive in bytes."""
        if not stat.S_ISREG(status.st_mode):
            os.close(self.handle)
            is_folder = stat.S_ISDIR(status.st_mode)
            code = errno.EISDIR if is_folder else errno.EINVAL
            raise OSError(code, "a folder" if is_folder else "not a regular file", archive)

    def __enter__(self) -> TarReader:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)

    def members(self) -> Iterator[tuple[int, tarfile.TarInfo]]:
        """Yield the regular files and links in order, in constant memory.

        Before each stands the 0-based number of its archive: several may have been joined into one
        file, as `cat` does. Raises `DamagedTar`, `OSError`.
        """
        headers = HeaderFile(self.handle, self.size)
        start: int | None = 0
        archives = 0
        while start is not None:
            headers.position = start
            for member in self.members_of_archive(headers):
                if member.isreg() or member.islnk() or member.issym():
                    yield archives, member
            start = self.next_archive(start, headers.position - tarfile.BLOCKSIZE)
            archives += 1

    def members_of_archive(self, headers: HeaderFile) -> Iterator[tarfile.TarInfo]:
        """Yield the members of the archive that starts at the headers' position.

        The position then is behind the first block of zeros. Raises `DamagedTar`, `OSError`.
        """
        source: Any = headers
        tar: tarfile.TarFile | None = None
        while True:
            # A new TarFile reads the first member, which its `next` then returns.
            offset = headers.position if tar is None else tar.offset
            headers.bytes_left = MAX_HEADER_BYTES
            try:
                tar = tarfile.TarFile(fileobj=source, mode="r") if tar is None else tar
                member = tar.next()
                # The list that tarfile keeps would grow with the archive.
                tar.members = []  # type: ignore[attr-defined]
            except OSError:
                raise
            except Exception as error:  # tarfile raises nearly anything on a bad header
                raise DamagedTar(describe(error), min(offset, self.size)) from error
            if member is None:
                break
            self.check(member)
            yield member
        # tarfile takes a damaged header and the end of the file for the end of the archive, which
        # really is a block of zeros.
        if headers.last_read != bytes(tarfile.BLOCKSIZE):
            raise DamagedTar("it is cut short or damaged: the archive does not end", tar.offset)

    def next_archive(self, start: int, end: int) -> int | None:
        """Return where the next archive starts, or None at the end of the file. In bytes.

        `start` and `end` are those of the archive before, without its blocks of zeros. What follows
        them must be a sound header where a writer of tars may end; else a header was zeroed, or
        something else was appended. Raises `DamagedTar`.
        """
        offset = end
        while data := os.pread(self.handle, PADDING_BYTES, offset):
            rest = data.lstrip(b"\0")
            offset += len(data) - len(rest)
            if rest:
                break
        else:
            return None
        offset -= (offset - start) % tarfile.BLOCKSIZE
        is_end = offset - end == END_BYTES or (
            offset - end > END_BYTES and (offset - start) % tarfile.RECORDSIZE == 0
        )
        if not is_end or not is_header(os.pread(self.handle, tarfile.BLOCKSIZE, offset)):
            raise DamagedTar("a header is zeroed, or something follows the archive", offset)
        return offset

    def count_files(self, offset: int) -> int:
        """Return how many headers of files seem to stand behind a damaged place, in bytes.

        They are looked for at every block, so that files inside of a file that is a tar count, too.
        """
        count = 0
        offset += -offset % tarfile.BLOCKSIZE
        while data := os.pread(self.handle, PADDING_BYTES, offset):
            start = data.find(MAGIC)
            while start >= 0:
                block = start - MAGIC_PLACE
                header = data[block : block + tarfile.BLOCKSIZE]
                if block % tarfile.BLOCKSIZE == 0 and is_header(header):
                    count += header[TYPE_PLACE : TYPE_PLACE + 1] in FILE_TYPES
                start = data.find(MAGIC, start + 1)
            offset += len(data)
        return count

    def check(self, member: tarfile.TarInfo) -> None:
        """Raise `DamagedTar` for a member whose bytes are not where its header says."""
        name = f"{member.name[:100]!r}"
        if member.size < 0 or not member.pax_headers.get("size", "0").isdecimal():
            raise DamagedTar(f"the size of {name} is not a number of bytes", member.offset)
        if member.isreg() and member.sparse is not None:
            raise DamagedTar(
                f"{name} is a sparse file, which cannot be read in place", member.offset
            )
        if member.isreg() and member.offset_data + member.size > self.size:
            raise DamagedTar(f"{name} ends beyond the end of the file", member.offset)

    def read(self, offset: int, size: int) -> bytes:
        """Return the content of a member. Raises `DamagedTar` if the tar ends in it, `OSError`."""
        data = os.pread(self.handle, size, offset)
        if len(data) < size:
            raise DamagedTar("a member is cut off", offset)
        return data


def is_header(block: bytes) -> bool:
    """Return True if a block has the checksum of a header."""
    try:
        tarfile.TarInfo.frombuf(block, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def describe(error: Exception) -> str:
    """Return what tarfile found wrong, in one line."""
    if isinstance(error, RecursionError):
        return "a chain of headers does not end"
    if isinstance(error, tarfile.TarError):
        return " ".join(str(error).split())
    return "a header is invalid"
