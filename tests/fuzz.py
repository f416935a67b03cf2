"""A fuzz test of damaged input files: each is read, or refused in one line that names the file.

`python -m tests.fuzz [FILES] [FORMAT...]` tries FILES mutants of every format and prints the
outcomes. A share of them goes through the command `new` too.
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

from engine.datasets.inputs.open_input import InputSource, read_input
from engine.utils.errors import BadInput
from tests.support.cli import cli

COMMAND_EVERY = 100
"""One of so many files is given to `new`, which is slower by far."""

RECORDS = [
    {"image": "a/0.jpg", "caption": "a cat"},
    {"image": "a/1.jpg", "caption": "}, {", "n": 12345678901234567890123, "x": [1.5, None, {}]},
    {"image": "ü/2.jpg", "caption": 'said "猫", then\n left', "odd": "\ud83d"},
    {"image": "a/3.jpg", "caption": None},
]
TEXTS = ["a cat", 'said "猫", then\n left', "\ud83d", ""]
BYTES_TO_INSERT = [
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


def images_parquet() -> bytes:
    import pyarrow
    from pyarrow.parquet import write_table

    out = io.BytesIO()
    images = [{"bytes": b"\xff\xd8\xff" * 20, "path": f"{number}.jpg"} for number in range(50)]
    table = pyarrow.table({"image": images, "captions": [["a cat", "a dog"]] * 50})
    write_table(table, out, row_group_size=20)
    return out.getvalue()


def arrow() -> bytes:
    import pyarrow

    out = io.BytesIO()
    table = pyarrow.table({"image": [f"{number}.jpg" for number in range(50)], "text": ["a"] * 50})
    with pyarrow.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table, max_chunksize=20)
    return out.getvalue()


def coco() -> bytes:
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in range(4)]
    annotations = [
        {"image_id": number, "caption": text} for text in TEXTS[:2] for number in range(4)
    ]
    return json.dumps({"info": {}, "images": images, "annotations": annotations}).encode()


def messages() -> bytes:
    said = [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "a cat"}]
    rows = [{"messages": said, "images": [f"{number}.jpg"]} for number in range(4)]
    return b"\n".join(json.dumps(row).encode() for row in rows)


def by_path() -> bytes:
    captions = {f"{number}.jpg": text for number, text in enumerate(TEXTS)}
    return json.dumps(captions, indent=1).encode()


def zstd() -> bytes:
    import pyarrow

    out = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(out, "zstd") as stream:
        stream.write(lines())
    return out.getvalue().to_pybytes()


FORMATS: dict[str, Callable[[], bytes]] = {
    "json": array,
    "jsonl": lines,
    "csv": lambda: table(","),
    "tsv": lambda: table("\t"),
    "tar": tar,
    "parquet": parquet,
    "images.parquet": images_parquet,
    "arrow": arrow,
    "coco.json": coco,
    "messages.jsonl": messages,
    "by_path.json": by_path,
    "jsonl.gz": lambda: gzip.compress(lines(), mtime=0),
    "jsonl.zst": zstd,
    "txt": lambda: "\ufeffa cat, 猫\r\n".encode(),
    "metadata.jsonl": metadata,
    "metadata.csv": lambda: table(",").replace(b"image", b"file_name"),
}
IN_FOLDERS = {"txt": "0.txt", "metadata.jsonl": "metadata.jsonl", "metadata.csv": "metadata.csv"}
"""Formats of a file in a folder of images, with its name; the folder is the input."""


def input_and_damaged_file(folder: Path, format: str) -> tuple[Path, Path]:
    """Return the path of the input in `folder`, and of the file in it that is to be damaged."""
    if format not in IN_FOLDERS:
        return folder / f"a.{format}", folder / f"a.{format}"
    images = folder / "images"
    images.mkdir()
    for number in range(2):
        (images / f"{number}.jpg").write_bytes(b"j")
    return images, images / IN_FOLDERS[format]


def mutant(whole: bytes, chance: random.Random) -> bytes:
    """Return the file with one to three damages."""
    data = whole
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice([1, 1, 2, 8, 100]))
        match chance.randrange(6):
            case 0:
                data = data[:start]
            case 1:
                data = data[:start] + bytes([chance.randrange(256)]) + data[start + 1 :]
            case 2:
                data = data[:start] + data[end:]
            case 3:
                data = data[:start] + chance.choice(BYTES_TO_INSERT) + data[start:]
            case 4:
                data = data[:start] + chance.choice(BYTES_TO_INSERT) + data[end:]
            case 5:
                data = data[:end] + data[start:]
    return data


def outcome(path: Path) -> str:
    """Return `read` or `refused`. Anything else is an exception or an assertion."""
    try:
        for batch in read_input(InputSource(path=path, root=path.parent)):
            for record in batch.records():
                assert isinstance(record.image, str) and record.image
                assert isinstance(record.caption, str)
                assert b"\n" not in record.line
                assert json.loads(record.line)["image"] == record.image
    except BadInput as error:
        message = str(error)
        assert str(path) in message, message
        assert len(message.splitlines()) == 1, message
        assert len(message) < 1000 + len(str(path)), message
        return "refused"
    return "read"


def check_command(path: Path, expected: str) -> None:
    """Check that `new` ends as the reader did, and leaves nothing of a refused input behind."""
    project, before = path.parent / "run", sorted(path.parent.iterdir())
    done = cli("new", project, path, "--model", "dry-run", "--allow-missing")
    assert done.returncode == (0 if expected == "read" else 2), (done, expected)
    if expected == "read":
        assert (project / "project.db").is_file()
        shutil.rmtree(project)
    else:
        assert len(done.stderr.splitlines()) <= 2, done.stderr
    assert sorted(path.parent.iterdir()) == before


def fuzz(format: str, files: int, seed: int = 0) -> Counter[str]:
    """Try `files` mutants of a format, and count the outcomes."""
    chance = random.Random(seed)
    whole = FORMATS[format]()
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path, damaged = input_and_damaged_file(Path(folder), format)
        for number in range(files):
            data = mutant(whole, chance)
            damaged.write_bytes(data)
            try:
                expected = outcome(path)
                outcomes[expected] += 1
                if number % COMMAND_EVERY == 0:
                    check_command(path, expected)
                    outcomes["commands"] += 1
            except Exception as error:
                text = f"{error!r}"[:1000]
                raise AssertionError(f"{format}, seed {seed}, file {number}: {text}") from error
    return outcomes


def main() -> None:
    files = int(sys.argv[1]) if sys.argv[1:] else 10_000
    for format in sys.argv[2:] or FORMATS:
        print(json.dumps({"form": format, "files": files, **fuzz(format, files)}), flush=True)


if __name__ == "__main__":
    main()
