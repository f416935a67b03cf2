"""Tars whose headers claim what cannot be: reading ends, in bounded memory, with the place."""

from __future__ import annotations

import io
import os
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.images.image import ImageProblem, read_image_bytes
from engine.images.tar_members import index_tar
from engine.images.tar_reading import MAX_HEADER_BYTES, DamagedTar, TarReader
from tests.support.tars import (
    BLOCK,
    END,
    SIZE,
    TYPE,
    base_256,
    header,
    member,
    padded,
    pax,
    signed,
    with_size,
)


def names(path: Path) -> list[str]:
    with TarReader(str(path)) as tar:
        return [each.name for _, each in tar.members()]


IMPOSSIBLE = {
    "a negative size": with_size(base_256(-512)),
    "a size that leads far back": with_size(base_256(-(2**40))),
    "a negative size below a block": with_size(base_256(-1)),
    "a size beyond the file": header(size=10_000),
    "a size beyond all files": with_size(base_256(2**80)),
    "a size that is no number": with_size(b"12x"),
    "a negative folder": with_size(base_256(-512), b"5"),
    "a negative long name": with_size(base_256(-512), b"L") + header(),
    "a long name of gigabytes": with_size(base_256(2**33), b"L") + header(),
    "a pax header of gigabytes": with_size(base_256(2**33), b"x") + header(),
    "a negative pax size": pax({"size": "-1024"}) + header(),
    "a pax size that is no number": pax({"size": "many"}) + header(),
    "a pax size that is a fraction": pax({"size": "1.5"}) + header(),
    "a pax size beyond the file": pax({"size": "100000"}) + header(),
    "a pax record without a length": header("pax", 20, b"x") + padded(b"0 size=1\n") + header(),
    "a chain of long names": (header("@", 1, b"L") + padded(b"n")) * 3000,
    "a chain of pax headers": pax({"comment": "x"}) * 3000,
    "a sparse member": header("sparse.jpg", 5, b"S") + padded(b"bytes"),
    "a sparse member without an end": signed(
        header("s.jpg", 5, b"S")[:482] + b"\1" + header("s.jpg", 5, b"S")[483:]
    ),
    "a pax sparse member": pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})
    + header(size=BLOCK)
    + padded(b"9999999999\n" + b"1\n" * 100),
    "a wrong checksum": b"?" + header()[1:],
    "a header of zeros": bytes(BLOCK) + padded(b"what the header was for"),
    "a header and its content of zeros": bytes(3 * BLOCK) + member(),
    "an empty file's header of zeros": bytes(BLOCK) + member(),
    "something behind the end": END + padded(b"a signature"),
    "a second archive that is damaged": END + member("2.jpg") + with_size(base_256(-512)),
    "no end": b"",
}
"""Tars whose first member is sound, by what is wrong with what follows."""


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_header_that_cannot_be_ends_the_reading_with_its_place(tmp_path: Path, case: str) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(member() + IMPOSSIBLE[case] + (END if case != "no end" else b""))
    read: list[str] = []
    with TarReader(str(path)) as tar, pytest.raises(DamagedTar) as caught:
        read += (each.name for _, each in tar.members())
    assert caught.value.offset >= len(member()), case
    assert f"(at byte {caught.value.offset:,})" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_the_images_before_a_damaged_place_are_found_and_the_others_unreadable(
    tmp_path: Path, case: str
) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(member() + IMPOSSIBLE[case] + (END if case != "no end" else b""))
    index_tar.cache_clear()
    assert read_image_bytes(f"{path}/ok.jpg") == b"bytes"
    for _ in range(2):
        with pytest.raises(ImageProblem) as caught:
            read_image_bytes(f"{path}/later.jpg")
        assert caught.value.kind == "unreadable"
    assert index_tar.cache_info().misses == 1, "headers were read once for all"


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        (pax({"path": "é" * 200 + ".jpg", "size": "5"}) + member(), "é" * 200 + ".jpg"),
        (header("@", 301, b"L") + padded(b"n" * 300 + b"\0") + member(), "n" * 300),
        (with_size(base_256(5)) + padded(b"bytes"), "a.jpg"),
        (pax({"comment": "for all"}, b"g") + member(), "ok.jpg"),
        (pax({"SCHILY.xattr.user.note": "x" * 60_000}) + member(), "ok.jpg"),
        (header("folder/", 0, b"5") + member(), "ok.jpg"),
        (member(""), ""),
    ],
)
def test_what_tars_may_hold_is_read(tmp_path: Path, headers: bytes, name: str) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(headers + END)
    with TarReader(str(path)) as tar:
        read = [(each.name, tar.read(each.offset_data, each.size)) for _, each in tar.members()]
    assert read == [(name, b"bytes")]


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tar"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match=r"not a regular file|a folder"):
        TarReader(str(path))


# Mutants


def whole_tar() -> bytes:
    """Return a sound tar with every kind of header."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("0.jpg", "0.txt", "ü" * 80 + ".jpg", "folder/" + "n" * 120 + ".jpg"):
            each = tarfile.TarInfo(name)
            each.size = 700
            tar.addfile(each, io.BytesIO(b"j" * 700))
    long_name = header("@", 301, b"L") + padded(b"n" * 300 + b"\0") + member()
    return long_name + pax({"path": "p.jpg", "size": "5"}) + member() + out.getvalue()


WHOLE = whole_tar()
BLOCKS = range(0, len(WHOLE.rstrip(b"\0")), BLOCK)
FIELDS = st.one_of(
    st.integers(-(2**88) + 1, 2**88 - 1).map(base_256),
    st.integers(0, 8**11 - 1).map(lambda number: b"%011o\0" % number),
    st.binary(min_size=12, max_size=12),
)
TYPES = st.sampled_from([*b"0123456789LKSxgXMVD\0\xff"]).map(lambda code: bytes([code]))


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """Return the tar with other sizes, types and bytes in some blocks, often well signed."""
    data = WHOLE
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.sampled_from(BLOCKS))
        block = data[start : start + BLOCK].ljust(BLOCK, b"\0")
        match draw(st.sampled_from(["size", "type", "bytes", "repeat", "cut", "pax"])):
            case "size":
                block = block[: SIZE.start] + draw(FIELDS) + block[SIZE.stop :]
            case "type":
                block = block[: TYPE.start] + draw(TYPES) + block[TYPE.stop :]
            case "bytes":
                at = draw(st.integers(0, BLOCK - 1))
                new = draw(st.binary(min_size=1, max_size=20))
                block = (block[:at] + new + block[at + len(new) :])[:BLOCK]
            case "repeat":
                data = data[:start] + block * draw(st.integers(2, 2000)) + data[start:]
                continue
            case "cut":
                data = data[: start + draw(st.integers(0, BLOCK))]
                continue
            case "pax":
                text = draw(st.text(max_size=12))
                key = draw(st.sampled_from(["size", "path", "GNU.sparse.map", "GNU.sparse.major"]))
                data = data[:start] + pax({key: text}) + data[start:]
                continue
        if draw(st.booleans()):
            block = signed(block)
        data = data[:start] + block + data[start + BLOCK :]
    return data


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("tars") / "a.tar"


@given(mutants())
def test_a_mutant_is_read_or_refused_in_bounded_time_and_memory(scratch: Path, data: bytes) -> None:
    scratch.write_bytes(data)
    tracemalloc.start()
    try:
        read = len(names(scratch))
    except DamagedTar as error:
        assert 0 <= error.offset <= len(data) and "\n" not in str(error)
    else:
        assert read <= len(data) // BLOCK
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 * MAX_HEADER_BYTES
