"""Every format of input, and everything that can be wrong with one; also split and merge."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.datasets import merging, split_merge
from engine.datasets.inputs import json_reader
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.datasets.inputs.read_options import ReadOptions
from engine.process import pool
from engine.utils.errors import BadInput
from tests.support.cli import cli, cli_ok
from tests.support.pictures import check_dry_run_export, colour_jpeg, make_captions

COUNT = 5
NAMES = [f"images/{number:06}.png" for number in range(COUNT)]
TEXTS = [f"alt text {number}" for number in range(COUNT)]
PAIRS = list(zip(NAMES, TEXTS, strict=True))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_captions(tmp_path, COUNT)
    return tmp_path


def pairs(path: Path, root: Path | None = None, **columns: Any) -> list[tuple[str, str]]:
    batches = read_input(
        InputSource(path=path, root=root or path.parent, options=ReadOptions(**columns))
    )
    return [(record.image, record.caption) for batch in batches for record in batch.records()]


def lines() -> bytes:
    return b"".join(
        json.dumps({"image": image, "caption": text}).encode() + b"\n" for image, text in PAIRS
    )


def table(
    delimiter: str = ",",
    header: tuple[str, str, str] = ("title", "id", "filepath"),
    quoting: Any = csv.QUOTE_MINIMAL,
) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting)
    writer.writerow(header)
    writer.writerows([text, number, image] for number, (image, text) in enumerate(PAIRS))
    return out.getvalue().encode()


def compressed(path: Path, data: bytes, codec: str) -> None:
    arrow = pytest.importorskip("pyarrow")
    with arrow.OSFile(str(path), "wb") as raw, arrow.CompressedOutputStream(raw, codec) as out:
        out.write(data)


def write_tar(path: Path, samples: Iterator[Any], **options: Any) -> None:
    """Write a tar of `samples`, which are (member name, bytes)."""
    with tarfile.open(path, "w", **options) as tar:
        for name, data in samples:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_json_lines_plain_and_compressed(data: Path) -> None:
    (data / "a.jsonl").write_bytes(lines())
    (data / "a.jsonl.gz").write_bytes(gzip.compress(lines(), mtime=0))
    compressed(data / "a.jsonl.zst", lines(), "zstd")
    for name in ("a.jsonl", "a.jsonl.gz", "a.jsonl.zst"):
        assert pairs(data / name) == PAIRS
    (data / "array.json.gz").write_bytes(gzip.compress((data / "captions.json").read_bytes()))
    assert pairs(data / "array.json.gz") == PAIRS


@pytest.mark.parametrize(
    ("name", "delimiter"), [("a.csv", ","), ("a.tsv", "\t"), ("a.csv", ";"), ("b.csv", "\t")]
)
def test_tables_with_named_columns(data: Path, name: str, delimiter: str) -> None:
    (data / name).write_bytes(b"\xef\xbb\xbf" + table(delimiter))
    assert pairs(data / name) == PAIRS
    (data / name).write_bytes(table(delimiter, ("words", "id", "file"), csv.QUOTE_ALL))
    assert pairs(data / name, image_column="file", caption_column="words") == PAIRS
    with pytest.raises(BadInput, match=r"no column of image paths \(it has 'words', 'id', 'file'"):
        pairs(data / name)


def test_parquet(data: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    captions = [*TEXTS[:-1], None]
    columns = {"key": list(range(COUNT)), "caption": captions, "image_path": NAMES}
    parquet.write_table(arrow.table(columns), data / "a.parquet")
    assert pairs(data / "a.parquet") == [*PAIRS[:-1], (NAMES[-1], "")]
    with pytest.raises(BadInput, match="column 'key' is int64, not text"):
        pairs(data / "a.parquet", image_column="key")
    with pytest.raises(BadInput, match="no column 'b'"):
        pairs(data / "a.parquet", image_column="b")
    columns["image_path"] = [*NAMES[:3], None, NAMES[4]]
    parquet.write_table(arrow.table(columns), data / "a.parquet")
    with pytest.raises(BadInput, match=r"no image path \(in row 3\)"):
        pairs(data / "a.parquet")
    parquet.write_table(arrow.table({"url": NAMES, "caption": TEXTS}), data / "a.parquet")
    with pytest.raises(BadInput, match="images must be local"):
        pairs(data / "a.parquet")


def test_a_folder_of_images_with_texts(data: Path) -> None:
    for image, text in PAIRS[:-1]:
        (data / image).with_suffix(".txt").write_text(text + "\n")
    assert pairs(data / "images", data) == [*PAIRS[:-1], (NAMES[-1], "")]
    assert pairs(data / "images", data / "images")[0] == ("000000.png", TEXTS[0])
    elsewhere = data / "elsewhere"
    assert pairs(data / "images", elsewhere)[0][0] == str(data / NAMES[0])
    elsewhere.mkdir()
    with pytest.raises(BadInput, match="holds no images"):
        pairs(elsewhere)


def test_a_folder_with_metadata(data: Path) -> None:
    rows = [{"file_name": name.removeprefix("images/"), "text": text} for name, text in PAIRS]
    (data / "images/metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert pairs(data / "images", data) == PAIRS
    assert pairs(data / "images", data / "images")[1] == ("000001.png", TEXTS[1])
    (data / "images/metadata.jsonl").write_text('{"file_name": "a.png"}\n{"file_name": 7}\n')
    with pytest.raises(BadInput, match=r"record 1: 'file_name' must be a path, not 7"):
        pairs(data / "images", data)


def wds_samples(data: Path, first: int = 0) -> Iterator[tuple[str, bytes]]:
    for number, (image, text) in enumerate(PAIRS, start=first):
        yield f"{number:09}.jpg", (data / image).read_bytes()
        yield f"{number:09}.json", json.dumps({"caption": text, "key": f"{number:09}"}).encode()
        if number % 2:
            yield f"{number:09}.txt", text.encode()


def test_webdataset_tars_are_captioned_in_place(data: Path, tmp_path: Path) -> None:
    for shard in range(2):
        write_tar(data / f"{shard:05}.tar", wds_samples(data, 10 * shard))
    first_tar = pairs(data / "00000.tar")
    assert first_tar == [(f"00000.tar/{n:09}.jpg", text) for n, text in enumerate(TEXTS)]
    assert pairs(data, data) == first_tar + [
        (f"00001.tar/{n:09}.jpg", text) for n, text in enumerate(TEXTS, start=10)
    ]
    project = tmp_path / "run"
    tars = sorted(data.glob("*.tar"))
    assert "10 records" in cli_ok("new", project, *tars, "--model", "dry-run", "--check-images")
    cli_ok("run", project, "--devices", "cpu")
    cli_ok("export", project, tmp_path / "out.jsonl", "--format", "jsonl")
    exported = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    plain = [
        {"image": n, "caption": r["caption"]} for n, r in zip(NAMES, exported[:5], strict=True)
    ]
    (tmp_path / "plain.json").write_text(json.dumps(plain))
    check_dry_run_export(tmp_path / "plain.json", data, NAMES)
    cli_ok("export", project, tmp_path / "wds", "--format", "wds")
    with tarfile.open(tmp_path / "wds/00000.tar") as tar:
        image = tar.extractfile("000000003.jpg").read()
    assert image == (data / NAMES[3]).read_bytes()


def test_several_inputs_in_one_project_and_duplicates_are_reported(
    data: Path, tmp_path: Path
) -> None:
    (data / "more.csv").write_bytes(table())
    done = cli(
        "new", tmp_path / "run", data / "captions.json", data / "more.csv", "--model", "dry-run"
    )
    assert done.returncode == 0
    assert "10 records" in done.stdout
    assert "5 repeats of the image path of an earlier record" in done.stderr
    assert f"such as {NAMES[0]} (records 0 and 5)" in done.stderr
    shard = (tmp_path / "run/shards/00000.jsonl").read_text().splitlines()
    assert [json.loads(line)["image"] for line in shard] == NAMES * 2


def test_new_looks_at_images(data: Path, tmp_path: Path) -> None:
    (data / NAMES[1]).write_bytes(b"no image")
    (data / NAMES[3]).unlink()
    options = [data / "captions.json", "--model", "dry-run"]
    done = cli("new", tmp_path / "a", *options)
    message = "of 5 images opened, 2 cannot be captioned (1 corrupt, 1 missing)"
    assert message in done.stderr
    again = cli(
        "new", tmp_path / "b", data / "captions.json", "--model", "dry-run", "--check-images"
    )
    assert message in again.stderr


NULS = table().replace(b"alt text 1", b"alt\0text")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.tsv",
            b"a cat\thttp://x.org/a.jpg\nb\thttp://x.org/b.jpg\n",
            "Conceptual Captions' form",
        ),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"image,caption\n", "holds no records"),
        ("a.csv", b"image,caption\na,b,c\n", r"3 columns, but the header has 2 \(at line 2\)"),
        ("a.csv", b"image,caption\n\n,b\n", r"no image path \(at line 3\)"),
        ("a.csv", b'image,caption\n"a,b\n', r"not CSV: unexpected end of data \(at line 2\)"),
        ("a.csv", b"image,caption\na,\xff\n", "not UTF-8 at byte 16"),
        ("a.csv", "image,caption\na,b\n".encode("utf-16"), "not UTF-8 at byte 0"),
        ("a.csv", NULS, r"a NUL character \(at line 3\)"),
        ("a.zip", b"", "an archive of a type that is not read: unpack it first"),
        ("a.xlsx", b"PK\3\4", "an Excel table: unpack it, or save the table as CSV"),
        ("a.feather", b"ARROW1\0\0", "call it .arrow"),
        ("a.json", b"version https://git-lfs.github.com/spec/v1\noid", "run git lfs pull"),
        ("a.csv", b"caption,url\nx,y\n", "images must be local"),
        ("a.parquet", b"PAR1 no", "as Parquet"),
        ("a.parquet", b"", "as Parquet"),
        ("a.tar", b"no tar at all" * 100, r"not a sound tar"),
        ("a.tar", b"", "not a sound tar"),
        ("a.tar.gz", b"", "unpack it first"),
        ("a.jsonl.gz", gzip.compress(lines(), mtime=0)[:-12], "cut short"),
        ("a.jsonl.gz", b"\x1f\x8bno gzip, but long", "the compressed file is damaged"),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfdno zstd", "damaged"),
        ("a.jsonl", b'{"image": "a", "caption": 7}', "'caption' must be text, not 7"),
        ("a.jsonl", b'{"image": "a"}\n{"image": 0}', "'image' must be a path, not 0"),
        ("a.jsonl", b'{"image": "a\0"}', "not JSON"),
    ],
)
def test_bad_input_is_one_message_and_nothing_is_made(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message):
        pairs(path)
    for command in (
        ("new", tmp_path / "run", path, "--model", "dry-run", "--allow-missing"),
        ("split", path, tmp_path / "parts", "--shards", 2),
        ("merge", tmp_path / "out.json", path),
    ):
        done = cli(*command)
        assert done.returncode == 2, done
        assert len(done.stderr.strip().splitlines()) == 1
        assert str(path) in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_tar_that_was_cut_anywhere(data: Path) -> None:
    write_tar(data / "a.tar", wds_samples(data))
    with tarfile.open(data / "a.tar") as tar:
        last = tar.getmembers()[-1]
    whole = (data / "a.tar").read_bytes()
    end = last.offset_data + 512
    for cut in (100, 1700, last.offset, last.offset + 7, last.offset_data + 3, end, end + 100):
        (data / "a.tar").write_bytes(whole[:cut])
        with pytest.raises(BadInput, match=r"not a sound tar: .* \(at byte"):
            pairs(data / "a.tar")
    (data / "a.tar").write_bytes(whole[: last.offset] + b"?" + whole[last.offset + 1 :])
    with pytest.raises(BadInput, match="does not end"):
        pairs(data / "a.tar")


@pytest.mark.parametrize("exact_records", [1, 3])
def test_the_fast_and_the_exact_reader_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact_records: int
) -> None:
    """Odd records force the exact reader, which hands back after a few."""
    monkeypatch.setattr(json_reader, "EXACT_RECORDS", exact_records)
    monkeypatch.setattr(json_reader, "READ_BYTES", 256)
    records: list[dict[str, Any]] = [
        {"image": f"{number}.png", "caption": "x" * (number % 50)} for number in range(200)
    ]
    for number in range(0, 200, 17):
        records[number]["caption"] = ['}, {"image": "no"}', "\ud83d", "}\n,{"][number % 3]
        records[number]["n"] = 10**40
    for text in (
        json.dumps(records),
        json.dumps(records, indent=1),
        "\n".join(map(json.dumps, records)),
    ):
        (tmp_path / "a").write_text(text)
        values = [json.loads(record.line) for record in json_reader.read_records(tmp_path / "a")]
        assert values == records


def test_split_and_merge_are_each_others_inverse(data: Path, tmp_path: Path) -> None:
    records = json.loads((data / "captions.json").read_text())
    cli_ok("split", data / "captions.json", tmp_path / "parts", "--shards", 3)
    parts = sorted((tmp_path / "parts").iterdir())
    assert [path.name for path in parts] == [f"partition_{n:02}.json" for n in range(3)]
    assert [len(json.loads(path.read_text())) for path in parts] == [2, 2, 1]
    cli_ok("merge", tmp_path / "out.json", *parts)
    assert json.loads((tmp_path / "out.json").read_text()) == records
    assert cli("split", data / "captions.json", tmp_path / "parts", "--shards", 3).returncode == 2
    too_many = cli("split", data / "captions.json", tmp_path / "more", "--shards", 6)
    assert "6 parts are more than the 5 records" in too_many.stderr
    assert not (tmp_path / "more").exists()


def test_a_line_of_a_hundred_megabytes_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"image": "')
        for _ in range(100):
            file.write(b"a" * 2**20)
    with pytest.raises(BadInput, match="more than 67,108,864 characters"):
        pairs(path)
    (tmp_path / "a.csv").write_bytes(b"image,caption\n" + b"a," * (20 << 20))
    with pytest.raises(BadInput, match="a line of more than"):
        pairs(tmp_path / "a.csv")


@pytest.mark.parametrize("large", [False, True], ids=["here", "on all cores"])
def test_merge_of_every_kind_keeps_order_and_bytes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    monkeypatch.setattr(merging, "PARALLEL_BYTES", 0 if large else 1 << 40)
    records = json.loads((data / "captions.json").read_text())
    odd = [{"image": "\ud800.png", "caption": "}, {", "n": 1.0}, {"image": "ä.png", "id": 2**70}]
    (tmp_path / "bom.json").write_bytes(
        b"\xef\xbb\xbf \n[" + json.dumps(odd)[1:].encode() + b"\n \n"
    )
    (tmp_path / "lines.jsonl").write_bytes(lines())
    (tmp_path / "packed.json.gz").write_bytes(gzip.compress(json.dumps(records).encode()))
    (tmp_path / "table.csv").write_bytes(table())
    names = ["bom.json", "lines.jsonl", "packed.json.gz", "table.csv", "bom.json"]
    sources = [InputSource(path=tmp_path / name, root=tmp_path) for name in names]
    read: list[int] = []
    written: list[int] = []
    count = split_merge.merge(sources, tmp_path / "out.json", read.append, written.append)
    merged = json.loads((tmp_path / "out.json").read_text())
    assert len(merged) == count == read[-1] == written[-1] == 4 + 3 * COUNT
    assert read == sorted(read) and written == sorted(written)
    assert merged[:2] == merged[-2:] == odd
    assert [record["image"] for record in merged[2:-2]] == 3 * NAMES

    (tmp_path / "bad.json").write_text('[{"image": "a.png"}, {"caption": "b"}]')
    with pytest.raises(BadInput, match=r"bad\.json: record 1: no 'image'"):
        split_merge.merge(
            [*sources, InputSource(path=tmp_path / "bad.json", root=tmp_path)], tmp_path / "no.json"
        )
    assert not list(tmp_path.glob("no.json*"))


@pytest.mark.parametrize("large", [False, True], ids=["here", "on all cores"])
def test_merge_shows_progress_within_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    monkeypatch.setattr(merging, "PARALLEL_BYTES", 0 if large else 1 << 40)
    monkeypatch.setattr(split_merge, "PROGRESS_BYTES", merging.COPY_BYTES)
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.001)
    count = 200_000  # some 60 blocks
    record = json.dumps({"image": "a" * 100, "caption": "b" * 20})
    (tmp_path / "a.json").write_text(f"[{', '.join([record] * count)}]")
    names = ["a.json", "b.json"]
    (tmp_path / "b.json").symlink_to("a.json")
    read: list[int] = []
    written: list[int] = []
    sources = [InputSource(path=tmp_path / name, root=tmp_path) for name in names]
    split_merge.merge(sources, tmp_path / "out.json", read.append, written.append)
    for reported in (read, written):
        assert reported == sorted(reported) and reported[-1] == 2 * count
        assert any(0 < records < count for records in reported)
    assert {records for records in written if records > count} - {2 * count}


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("https://example.org/0.jpg", "it is a link: images must be local"),
        ("D:\\\\set\\\\0.jpg", "--path-map 'D:\\set\\=FOLDER/' also turns its backslashes"),
        ("file:///set/0.jpg", "it is an address of a file: give --path-map file://="),
        ("000000012", "it has no suffix"),
        ("wrong/0.jpg", "'wrong/0.jpg', for example, was not: give --image-root DIR"),
    ],
)
def test_paths_of_which_none_is_found_are_named(tmp_path: Path, image: str, message: str) -> None:
    captions = tmp_path / "captions.json"
    captions.write_text(f'[{{"image": "{image}", "caption": "a"}}]')
    done = cli("new", tmp_path / "run", captions, "--model", "dry-run")
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_paths_of_windows_become_local_ones(tmp_path: Path) -> None:
    (tmp_path / "set/a").mkdir(parents=True)
    (tmp_path / "set/a/0.jpg").write_bytes(colour_jpeg("red"))
    captions = tmp_path / "captions.json"
    captions.write_text('[{"image": "D:\\\\set\\\\a\\\\0.jpg", "caption": "a"}]')
    path_map = "--path-map", "D:\\=./"
    cli_ok("new", tmp_path / "run", captions, "--model", "dry-run", *path_map)
    cli_ok("merge", tmp_path / "all.json", captions, *path_map, "--check")
    assert json.loads((tmp_path / "all.json").read_bytes())[0]["image"] == "./set/a/0.jpg"


def test_relative_paths_of_inputs_in_several_folders_are_refused(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.jpg").write_bytes(colour_jpeg("red"))
        (tmp_path / name / "c.json").write_text('[{"image": "0.jpg", "caption": "a"}]')
    inputs = tmp_path / "a/c.json", tmp_path / "b/c.json"
    model = "--model", "dry-run"
    done = cli("new", tmp_path / "run", *inputs, *model)
    assert (done.returncode, "b/c.json has relative image paths (0.jpg)" in done.stderr) == (
        2,
        True,
    )
    cli_ok("new", tmp_path / "run", *inputs, *model, "--path-map", f"0={tmp_path}/a/0")
    cli_ok("new", tmp_path / "other", *inputs, *model, "--image-root", tmp_path / "a")
    cli_ok("new", tmp_path / "folders", tmp_path / "a/c.json", tmp_path / "b", *model)
