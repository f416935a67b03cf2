"""Damaged input files: each must be read, or refused in one line that names the file.

`python -m tests.fuzz [FILES] [FORM...]` tries so many mutants of every form and prints what came
of them. A share of them goes through the command `new` too.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from engine.datasets.inputs.open_input import Input, read_input
from engine.utils.errors import BadInput
from tests.support.cli import cli

COMMAND = 100
"""Of so many files one is given to `new`, which is slower by far."""

RECORDS = [
    {"image": "a/0.jpg", "caption": "a cat"},
    {"image": "a/1.jpg", "caption": "}, {", "n": 12345678901234567890123, "x": [1.5, None, {}]},
    {"image": "ü/2.jpg", "caption": 'said "猫", then\n left', "odd": "\ud83d"},
    {"image": "a/3.jpg", "caption": None},
]
TEXTS = ["a cat", 'said "猫", then\n left', "\ud83d", ""]
PIECES = [
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\\ud800"),
    *(b"\n", b"\r\n", b"\t", b"NaN", b"1e999", b"7", b"null", b"[" * 2000, b'{"a":' * 2000),
    *(b"9" * 5000, b"x" * 70_000, b'"image"', b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xc3"),
]


def array() -> bytes:
    return json.dumps(RECORDS).encode()


def lines() -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in RECORDS)


def metadata() -> bytes:
    rows = [{"file_name": f"{number}.jpg", "text": text} for number, text in enumerate(TEXTS)]
    return b"\n".join(json.dumps(row).encode() for row in rows)


def table(separator: str) -> bytes:
    rows = ["image,caption", "a.jpg,a cat", 'b.jpg,"said ""hi""', 'twice"', "ü.jpg,"]
    return "\n".join(rows).replace(",", separator).encode()


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for number in range(3):
            for name, data in (
                ("jpg", b"j" * 700),
                ("txt", b"a cat"),
                ("json", b'{"caption": ""}'),
            ):
                member = tarfile.TarInfo(f"{number:05}.{name}")
                member.size = len(data)
                file.addfile(member, io.BytesIO(data))
    return out.getvalue()


def parquet() -> bytes:
    import pyarrow
    from pyarrow.parquet import write_table

    out = io.BytesIO()
    images = [f"{number}.jpg" for number in range(100)]
    write_table(pyarrow.table({"image": images, "caption": images}), out)
    return out.getvalue()


def zstd() -> bytes:
    import pyarrow

    out = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(out, "zstd") as stream:
        stream.write(lines())
    return out.getvalue().to_pybytes()


FORMS: dict[str, Callable[[], bytes]] = {
    "json": array,
    "jsonl": lines,
    "csv": lambda: table(","),
    "tsv": lambda: table("\t"),
    "tar": tar,
    "parquet": parquet,
    "jsonl.gz": lambda: gzip.compress(lines(), mtime=0),
    "jsonl.zst": zstd,
    "txt": lambda: "\ufeffa cat, 猫\r\n".encode(),
    "metadata.jsonl": metadata,
    "metadata.csv": lambda: table(",").replace(b"image", b"file_name"),
}
IN_FOLDERS = {"txt": "0.txt", "metadata.jsonl": "metadata.jsonl", "metadata.csv": "metadata.csv"}
"""Forms of which a file in a folder of images is damaged; the folder is the input."""


def place(folder: Path, form: str) -> tuple[Path, Path]:
    """The input, and the file in it that is damaged."""
    if form not in IN_FOLDERS:
        return folder / f"a.{form}", folder / f"a.{form}"
    images = folder / "images"
    images.mkdir()
    for number in range(2):
        (images / f"{number}.jpg").write_bytes(b"j")
    return images, images / IN_FOLDERS[form]


def mutant(whole: bytes, chance: random.Random) -> bytes:
    """One to three damages."""
    data = whole
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data) + 1)
        to = min(len(data), at + chance.choice([1, 1, 2, 8, 100]))
        match chance.randrange(6):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 2:
                data = data[:at] + data[to:]
            case 3:
                data = data[:at] + chance.choice(PIECES) + data[at:]
            case 4:
                data = data[:at] + chance.choice(PIECES) + data[to:]
            case 5:
                data = data[:to] + data[at:]
    return data


def outcome(path: Path) -> str:
    """`read` or `refused`; anything else is an exception or an assertion."""
    try:
        for batch in read_input(Input(path, path.parent)):
            for record in batch.records():
                assert isinstance(record.image, str) and record.image
                assert isinstance(record.caption, str)
                assert b"\n" not in record.line
                assert json.loads(record.line)["image"] == record.image
    except BadInput as error:
        said = str(error)
        assert str(path) in said, said
        assert len(said.splitlines()) == 1, said
        assert len(said) < 1000 + len(str(path)), said
        return "refused"
    return "read"


def check_command(path: Path, expected: str) -> None:
    """`new` ends as the reader did, without a traceback, and leaves nothing of a refused input."""
    project, before = path.parent / "run", sorted(path.parent.iterdir())
    done = cli("new", project, path, "--model", "dry-run", "--allow-missing")
    assert done.returncode == (0 if expected == "read" else 2), (done, expected)
    if expected == "read":
        assert (project / "project.db").is_file()
        shutil.rmtree(project)
    else:
        assert len(done.stderr.splitlines()) <= 2, done.stderr
    assert sorted(path.parent.iterdir()) == before


def fuzz(form: str, files: int, seed: int = 0) -> Counter[str]:
    chance = random.Random(seed)
    whole = FORMS[form]()
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path, damaged = place(Path(folder), form)
        for number in range(files):
            data = mutant(whole, chance)
            damaged.write_bytes(data)
            try:
                found[ended := outcome(path)] += 1
                if number % COMMAND == 0:
                    check_command(path, ended)
                    found["commands"] += 1
            except Exception as error:
                shown = f"{error!r}"[:1000]
                raise AssertionError(f"{form}, seed {seed}, file {number}: {shown}") from error
    return found


def main() -> None:
    files = int(sys.argv[1]) if sys.argv[1:] else 10_000
    for form in sys.argv[2:] or FORMS:
        print(json.dumps({"form": form, "files": files, **fuzz(form, files)}), flush=True)


if __name__ == "__main__":
    main()
