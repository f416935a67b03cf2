"""Tars written block by block, so that a header may claim what it likes."""

from __future__ import annotations

import tarfile

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
SIZE = slice(124, 136)
"""The bytes of a header that hold the member's size."""
CHECKSUM = slice(148, 156)
TYPE = slice(156, 157)


def signed(header: bytes) -> bytes:
    """Return a header with the checksum that fits it."""
    blank = header[: CHECKSUM.start] + b" " * 8 + header[CHECKSUM.stop :]
    return header[: CHECKSUM.start] + b"%06o\0 " % sum(blank) + header[CHECKSUM.stop :]


def header(name: str = "a.jpg", size: int = 0, type: bytes = b"0") -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, type
    return member.tobuf(tarfile.GNU_FORMAT)[:BLOCK]


def with_size(field: bytes, type: bytes = b"0") -> bytes:
    """Return a header whose size is written as these bytes."""
    plain = header(type=type)
    return signed(plain[: SIZE.start] + field.ljust(12, b"\0") + plain[SIZE.stop :])


def base_256(number: int) -> bytes:
    return bytes([0o200 if number >= 0 else 0o377]) + (number % 256**11).to_bytes(11, "big")


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def pax(records: dict[str, str], type: bytes = b"x") -> bytes:
    """Return a pax header with these records."""
    body = b""
    for key, value in records.items():
        text = f" {key}={value}\n".encode()
        length = len(text) + 1
        while len(str(length)) + len(text) != length:
            length += 1
        body += str(length).encode() + text
    return header("pax", len(body), type) + padded(body)


def member(name: str = "ok.jpg", data: bytes = b"bytes") -> bytes:
    return header(name, len(data)) + padded(data)
