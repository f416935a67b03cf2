"""open_clip reads the formats `openclip` and `wds`, and trains on them."""

from __future__ import annotations

import re

import pytest

from tests.readers.conftest import Call, Trainer
from tests.readers.hostile_project import HostileProject, is_utf8, pandas_takes_for_missing


def csv_keeps(text: str) -> bool:
    """Return True if open_clip can get this text from a table."""
    return is_utf8(text) and not pandas_takes_for_missing(text)


TABLES = pytest.mark.parametrize(("name", "separator"), [("out.tsv", None), ("out.csv", ",")])


@TABLES
def test_every_row_of_a_table_is_a_caption_on_its_image(
    call: Call, export_to: Call, hostile: HostileProject, name: str, separator: str | None
) -> None:
    out = export_to(name, "--format", "openclip", "--image-root", hostile.root)
    pairs = call("open_clip_reader", "csv_pairs", path=str(out.path), separator=separator)
    assert sorted(map(tuple, pairs)) == hostile.pairs(keep=csv_keeps)
    assert out.written("captions") == len(pairs)


@pytest.mark.parametrize("text", ["original", "one", "random"])
def test_a_table_of_one_caption_an_image(
    call: Call, export_to: Call, hostile: HostileProject, text: str
) -> None:
    out = export_to("out.csv", "--format", "openclip", "--image-root", hostile.root, "--text", text)
    pairs = call("open_clip_reader", "csv_pairs", path=str(out.path), separator=",")
    if text == "random":
        check_one_of_the_captions(pairs, hostile)
    else:
        assert sorted(map(tuple, pairs)) == hostile.pairs((text,), keep=csv_keeps)


def check_one_of_the_captions(pairs: list[tuple[int, str]], hostile: HostileProject) -> None:
    """Assert that each image is there once, with one of its captions."""
    everything = hostile.pairs(keep=is_utf8, any_path=True)
    assert {(number, text) for number, text in pairs} <= set(everything)
    numbers = [number for number, _ in pairs]
    assert len(numbers) == len(set(numbers))
    assert len(numbers) >= len({number for number, _ in everything}) - 5, "NA and the like"
    models = {text.split()[0] for _, text in pairs}
    assert {"one", "two", "original"} <= models, "the draw is not always the same caption"


@pytest.mark.parametrize("options", [(), ("--encode", "webp:80", "--max-side", "16")])
def test_every_sample_of_the_tars_is_a_caption_on_its_image(
    call: Call, export_to: Call, hostile: HostileProject, options: tuple[str, ...]
) -> None:
    out = export_to("tars", "--format", "wds", *options)
    found = call("open_clip_reader", "tar_pairs", tars=out.tar_names, train=False)
    assert not found["warnings"]
    assert sorted(map(tuple, found["pairs"])) == hostile.first_captions(keep=is_utf8)


def test_an_epoch_of_the_tars_has_each_sample_once(
    call: Call, export_to: Call, hostile: HostileProject
) -> None:
    """The export says in sizes.json how many samples there are."""
    out = export_to("tars", "--format", "wds")
    found = call("open_clip_reader", "tar_pairs", tars=out.tar_names, train=True)
    expected = hostile.first_captions(keep=is_utf8)
    assert found["num_samples"] == len(expected)
    assert sorted(map(tuple, found["pairs"])) == expected


@pytest.mark.parametrize("text", ["two", "random", "expand"])
def test_the_text_of_the_tars_is_the_chosen_one(
    call: Call, export_to: Call, hostile: HostileProject, text: str
) -> None:
    out = export_to("tars", "--format", "wds", "--text", text)
    pairs = call("open_clip_reader", "tar_pairs", tars=out.tar_names, train=True)["pairs"]
    if text == "random":
        check_one_of_the_captions(pairs, hostile)
    else:
        names = ("two",) if text == "two" else ("original", "one", "two")
        assert sorted(map(tuple, pairs)) == hostile.pairs(names, keep=is_utf8, any_path=True)


@pytest.mark.parametrize("format", ["openclip", "wds"])
def test_the_trainer_trains_for_an_epoch(
    export_to: Call, hostile: HostileProject, train: Trainer, format: str
) -> None:
    """The command line is the one that the export gives."""
    name, options = ("tars", ()) if format == "wds" else ("out.csv", ("--image-root", hostile.root))
    export = export_to(name, "--format", format, *options)
    log = train(export)
    assert "error" not in log.lower() and "nan" not in re.findall(r"Loss: (\S+)", log)
    samples = export.written("images" if format == "wds" else "captions")
    batches = -(-samples // 8) if format == "wds" else samples // 8
    assert len(re.findall(r"Train Epoch: 0 \[", log)) == batches
