"""Every export format, read the way its reader reads it."""

from __future__ import annotations

import csv
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.datasets.exports.export import ExportOptions, export
from engine.datasets.exports.formats import FORMATS
from engine.operations.new_project import NewProject, create
from engine.operations.run_control import send_request
from engine.project.damage import DamagedFiles
from engine.project.layout import Project
from engine.requests.kinds import Flag
from engine.utils.errors import BadInput
from tests.support.cli import cli
from tests.support.pictures import draw_picture
from tests.support.projects import model_choice, write_captions

COUNT = 7
ODD = 'a "quoted", tabbed\tand\nbroken caption with 猫'
FAILED = 3
UNFINISHED = 5


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Seven images in shards of three, two models, one failed record, one without an original."""
    folder = tmp_path_factory.mktemp("formats")
    records = []
    for number in range(COUNT):
        name = f"images/{number:02}.{'webp' if number == 6 else 'png'}"
        draw_picture(folder / name, number)
        records.append({"image": name, "caption": f"alt {number}"})
    records[4]["caption"] = ODD
    del records[2]["caption"]
    (folder / "captions.json").write_text(json.dumps(records))
    models = [model_choice("one", prompt="Say:", seed=7), model_choice("two")]
    made = create(
        folder / "run", NewProject(captions=[folder / "captions.json"], models=models, shard_size=3)
    )
    write_captions(made.project, caption_row)
    return made.project


def caption_row(model: str, shard: int, i: int) -> dict[str, int | str]:
    """Return the caption log's row of a record, without its index."""
    number = shard * 3 + i
    if number == FAILED and model == "two":
        return {"error": "refused", "detail": "bad"}
    if number == UNFINISHED:
        return {"raw": f"{model} sees the", "tokens": 30, "finish": "length"}
    return {"raw": f"{model} sees picture {number}. And more.", "tokens": 9, "finish": "length"}


def texts(model: str) -> list[str | None]:
    """Return a model's sheared captions, one per record; None where it failed."""
    captions: list[str | None] = [f"{model} sees picture {number}" for number in range(COUNT)]
    captions[UNFINISHED] = f"{model} sees the"
    if model == "two":
        captions[FAILED] = None
    return captions


ORIGINALS = ["alt 0", "alt 1", None, "alt 3", ODD, "alt 5", "alt 6"]
IMAGES = [f"images/{number:02}.png" for number in range(6)] + ["images/06.webp"]
PAIRS = [
    (image, caption)
    for image, *captions in zip(IMAGES, ORIGINALS, texts("one"), texts("two"), strict=True)
    for caption in captions
    if caption
]


def written(
    project: Project, tmp_path: Path, format: str, name: str = "out", **options: Any
) -> Path:
    """Export the project in a format, and return the path of the export."""
    options.setdefault("with_original", True)
    result = export(project, tmp_path / name, ExportOptions(format=format, **options))
    assert result.path == tmp_path / name
    assert result.bytes > 0
    assert not list(tmp_path.glob("*.part"))
    return tmp_path / name


@pytest.mark.parametrize("format", FORMATS)
def test_of_a_damaged_shard_every_format_takes_nothing(
    project: Project, tmp_path: Path, format: str
) -> None:
    shard = project.shard_file(1)
    whole = shard.read_bytes()
    shard.write_bytes(whole.replace(b"alt 3", b"alt 8"))
    options = ExportOptions(format=format, provenance=FORMATS[format].provenance)
    try:
        with pytest.raises(DamagedFiles, match="jsonl was changed since the input was split"):
            export(project, tmp_path / "out", options)
        assert not list(tmp_path.iterdir())
        result = export(project, tmp_path / "out", replace(options, allow_partial=True))
    finally:
        shard.write_bytes(whole)
    assert (result.records, result.damaged) == (4, 6)
    assert [each.path for each in result.damage] == [shard]


@pytest.mark.parametrize("format", FORMATS)
def test_without_flagged_records_every_format_is_as_if_they_were_not(
    project: Project, tmp_path: Path, format: str
) -> None:
    whole = export(project, tmp_path / "whole", ExportOptions(format=format))
    send_request(project, Flag(records=[(0, 1), (1, 0)], flagged=True))
    provenance = FORMATS[format].provenance
    options = ExportOptions(format=format, without_flagged=True, provenance=provenance)
    try:
        result = export(project, tmp_path / "out", options)
    finally:
        send_request(project, Flag(records=[(0, 1), (1, 0)], flagged=False))
    originals = 2 if FORMATS[format].needs_original else 0
    assert result.flagged == 3 + originals, "of the four captions of models one failed"
    assert result.captions == whole.captions - result.flagged
    files = [path for path in [tmp_path / "out", *(tmp_path / "out").rglob("*")] if path.is_file()]
    if format not in ("parquet", "hf", "wds", "sidefiles", "hub"):
        content = b"".join(path.read_bytes() for path in files)
        assert b"picture 1" not in content and b"images/01.png" not in content
        assert b"picture 2" in content


def pairs_of(records: Iterator[Any] | list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(record["image"], record["caption"]) for record in records]


def test_json_and_json_lines(project: Project, tmp_path: Path) -> None:
    assert pairs_of(json.loads(written(project, tmp_path, "json", "a").read_bytes())) == PAIRS
    lines = written(project, tmp_path, "jsonl", "b").read_text().splitlines()
    assert pairs_of(map(json.loads, lines)) == PAIRS


def test_per_model_is_one_array_a_model(project: Project, tmp_path: Path) -> None:
    out = written(project, tmp_path, "per-model")
    assert sorted(path.name for path in out.iterdir()) == ["one.json", "original.json", "two.json"]
    for name, captions in (("one", texts("one")), ("two", texts("two")), ("original", ORIGINALS)):
        pairs = pairs_of(json.loads((out / f"{name}.json").read_text()))
        assert pairs == [(i, c) for i, c in zip(IMAGES, captions, strict=True) if c]


def rows() -> list[dict[str, str | None] | dict[str, str]]:
    return [
        {"image": image, "original": original, "one": one, "two": two}
        for image, original, one, two in zip(
            IMAGES, ORIGINALS, texts("one"), texts("two"), strict=True
        )
    ]


def test_columns_have_a_key_a_model(project: Project, tmp_path: Path) -> None:
    out = written(project, tmp_path, "columns")
    assert [json.loads(line) for line in out.read_text().splitlines()] == rows()


def test_parquet_and_columns_load_with_datasets(project: Project, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    for format, kind in (("parquet", "parquet"), ("columns", "json")):
        out = written(project, tmp_path, format, format)
        loaded = datasets.load_dataset(
            kind, data_files=str(out), split="train", cache_dir=str(tmp_path / "cache")
        )
        assert list(loaded) == rows()


@pytest.mark.parametrize("images", ["link", "copy"])
def test_an_image_folder_loads_with_datasets(project: Project, tmp_path: Path, images: str) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    out = written(project, tmp_path, "hf", images=images)
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(out), split="train", cache_dir=str(tmp_path / "cache")
    )
    by_image = sorted(loaded, key=lambda row: row["image_path"])
    assert [row["one"] for row in by_image] == texts("one")
    assert [row["original"] for row in by_image] == ORIGINALS
    for number, row in enumerate(by_image[:6]):
        assert row["image"].convert("RGB").getpixel((0, 0)) == (number, 0, 0)


@pytest.mark.parametrize(("name", "separator"), [("out.tsv", "\t"), ("out.csv", ",")])
def test_open_clip_reads_filepath_and_title(
    project: Project, tmp_path: Path, name: str, separator: str
) -> None:
    """As open_clip's CsvDataset: pandas, then the two columns as lists."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(written(project, tmp_path, "openclip", name), sep=separator)
    assert list(zip(frame["filepath"].tolist(), frame["title"].tolist(), strict=True)) == PAIRS


def test_webdataset_reads_the_tars(project: Project, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    out = written(project, tmp_path, "wds")
    tars = sorted(map(str, out.glob("*.tar")))
    assert len(tars) == 3
    samples = list(webdataset.WebDataset(tars, shardshuffle=False))
    assert [json.loads(sample["json"])["one"] for sample in samples] == texts("one")
    assert [sample["txt"].decode() for sample in samples] == [
        original or one for original, one in zip(ORIGINALS, texts("one"), strict=True)
    ]
    root = project.folder.parent
    for image, sample in zip(IMAGES, samples, strict=True):
        assert sample[image.rpartition(".")[2]] == (root / image).read_bytes()
    bare = written(project, tmp_path, "wds", "bare", images="none")
    with tarfile.open(bare / "00000.tar") as tar:
        assert tar.getnames()[:2] == ["000000000.txt", "000000000.json"]


def test_laclip_pairs_lines_with_rows(project: Project, tmp_path: Path) -> None:
    """LaCLIP reads the CSV and the text files side by side, and passes over odd suffixes."""
    out = written(project, tmp_path, "laclip", image_root="/data")
    with (out / "captions.csv").open() as file:
        table = [row for row in csv.reader(file) if row[0].endswith((".png", ".jpg", ".jpeg"))]
    augmented = [(out / f"{name}.txt").open().readlines() for name in ("one", "two")]
    assert [len(lines) for lines in augmented] == [len(table)] * 2 == [6, 6]
    assert [row[0] for row in table] == [f"/data/{image}" for image in IMAGES[:6]]
    assert [row[1] for row in table] == [
        "alt 0",
        "alt 1",
        texts("one")[2],
        "alt 3",
        ODD,
        "alt 5",
    ]
    for name, lines in zip(("one", "two"), augmented, strict=True):
        assert [line.replace("\n", "") for line in lines] == [t or "" for t in texts(name)[:6]]


def test_dreamlip_finds_six_columns_of_captions(project: Project, tmp_path: Path) -> None:
    with written(project, tmp_path, "dreamlip").open() as file:
        table = list(csv.reader(file))[1:]
    assert [(row[0], row[2], row[3], row[4:]) for row in table] == [
        (image, one, two or "", ["-", "", "", ""])
        for image, one, two in zip(IMAGES, texts("one"), texts("two"), strict=True)
    ]


def test_llava_has_conversations(project: Project, tmp_path: Path) -> None:
    records = json.loads(written(project, tmp_path, "llava").read_text())
    assert len({record["id"] for record in records}) == len(records)
    for record, (image, caption) in zip(records, PAIRS, strict=True):
        human, gpt = record["conversations"]
        assert record["image"] == image
        assert "<image>" in human["value"]
        assert (human["from"], gpt["from"], gpt["value"]) == ("human", "gpt", caption)


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_state_gives_the_same_bytes(project: Project, tmp_path: Path, format: str) -> None:
    first, second = (
        written(project, tmp_path, format, name, images=images_of(format)) for name in ("a", "b")
    )
    assert contents(first) == contents(second) != []


def images_of(format: str) -> str | None:
    return "copy" if "copy" in FORMATS[format].image_modes else None


def contents(path: Path) -> list[bytes | tuple[Path, bytes]]:
    if path.is_file():
        return [path.read_bytes()]
    return [
        (file.relative_to(path), file.read_bytes())
        for file in sorted(path.rglob("*"))
        if file.is_file()
    ]


def test_filters(project: Project, tmp_path: Path) -> None:
    options = {"with_original": False, "only_finished": True}
    records = json.loads(written(project, tmp_path, "json", "a", **options).read_text())
    assert [record["caption"] for record in records] == [
        caption
        for pair in zip(texts("one"), texts("two"), strict=True)
        for caption in pair
        if caption and not caption.endswith("the")
    ]
    long = json.loads(written(project, tmp_path, "json", "b", min_words=4).read_text())
    assert {len(record["caption"].split()) for record in long if "sees" in record["caption"]} == {4}
    assert len(long) == len(PAIRS) - 2


def test_provenance_on_request(project: Project, tmp_path: Path) -> None:
    records = json.loads(written(project, tmp_path, "json", "a", provenance=True).read_text())
    first, second = records[:2]
    assert first["model"] == "original"
    assert second == {
        "image": IMAGES[0],
        "caption": texts("one")[0],
        "model": "one",
        "checkpoint": None,
        "prompt": "Say:",
        "seed": 7,
        "finish": "length",
    }
    lines = written(project, tmp_path, "columns", "b", provenance=True).read_text().splitlines()
    assert json.loads(lines[0])["provenance"]["one"]["prompt"] == "Say:"
    with pytest.raises(BadInput, match="cannot hold provenance"):
        written(project, tmp_path, "openclip", "c", provenance=True)


@pytest.mark.parametrize("format", [name for name, each in FORMATS.items() if each.folder])
def test_a_folder_with_something_in_it_is_left_alone(
    project: Project, tmp_path: Path, format: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    done = cli("export", project.folder, tmp_path / "out", "--format", format)
    assert done.returncode == 2
    assert "not an empty folder" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_an_unknown_format_and_what_does_not_fit(project: Project, tmp_path: Path) -> None:
    done = cli("export", project.folder, tmp_path / "out", "--format", "xml")
    assert done.returncode == 2
    assert "unknown format 'xml': one of json, jsonl" in done.stderr
    assert cli("export", project.folder, tmp_path / "out", "--images", "copy").returncode == 2
    assert not list(tmp_path.iterdir())
