"""What was read is what is written and what is left out, by reason, whatever the options are."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from engine.datasets.exports.counts import ExportCounts
from engine.datasets.exports.export import ExportOptions, ExportResult, export
from engine.datasets.exports.formats import FORMATS
from engine.operations.new_project import NewProject, create
from engine.operations.run_control import send_request
from engine.project.layout import Project
from engine.requests.kinds import Flag
from tests.support.pictures import draw_picture
from tests.support.projects import model_choice, write_captions

COUNT = 14
SHARD_SIZE = 5
TEXTS = ["a plain one", "NA", "an <image> in it", "a\rb c", "half \ud800", "one", "{a|b} c", "a\nb"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Images of which some are missing, flagged, excluded or of an odd suffix, and odd captions."""
    folder = tmp_path_factory.mktemp("counts")
    records = []
    for number in range(COUNT):
        name = f"images/{number:02}.{'bmp' if number == 4 else 'png'}"
        if number != 9:
            draw_picture(folder / name, number, (40, 20))
        caption = "" if number % 4 == 1 else f"{TEXTS[number % len(TEXTS)]} {number}"
        records.append({"image": name, "caption": caption})
    (folder / "captions.json").write_text(json.dumps(records))
    made = create(
        folder / "run",
        NewProject(
            captions=[folder / "captions.json"],
            models=[model_choice("one"), model_choice("two")],
            shard_size=SHARD_SIZE,
        ),
    ).project
    write_captions(made, caption_row)
    send_request(made, Flag(records=[(0, 2), (1, 1), (2, 3)], flagged=True))
    return made


def caption_row(model: str, shard: int, i: int) -> dict[str, Any]:
    number = shard * SHARD_SIZE + i
    if number in (6, 7) and model == "two":
        return {"error": "corrupt" if number == 6 else "refused", "detail": ""}
    if number == 8:
        return {"error": "excluded", "detail": ""}
    raw = ". nothing" if number == 11 else f"{TEXTS[(number + len(model)) % len(TEXTS)]}. More"
    finish = "length" if number == 3 else "stop"
    return {"raw": raw, "tokens": 5, "finish": finish}


def check_sums(result: ExportResult) -> None:
    assert sum(result.of_images().values()) == result.records
    assert sum(result.of_captions().values()) == result.possible
    for entry in fields(ExportCounts):
        value = getattr(result, entry.name)
        assert not isinstance(value, int) or value >= 0, entry.name


OPTIONS: list[dict[str, Any]] = [
    {},
    {"with_original": True},
    {"keep_unreadable": True, "with_original": True},
    {"without_flagged": True, "with_original": True},
    {"min_words": 3, "only_finished": True},
    {"models": ("two",), "with_original": True},
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("options", OPTIONS)
def test_every_export_adds_up(
    project: Project, tmp_path: Path, format: str, options: dict[str, Any]
) -> None:
    result = export(project, tmp_path / "out", ExportOptions(format=format, **options))
    check_sums(result)
    assert result.records == COUNT
    if not options.get("keep_unreadable"):
        unreadable = {6, 8} if "models" not in options or options["models"] else set()
        assert result.unreadable_images == len(unreadable)


@pytest.mark.parametrize("text", ["original", "one", "random", "expand"])
@pytest.mark.parametrize("format", [name for name, each in FORMATS.items() if each.text])
def test_it_adds_up_for_every_chosen_text(
    project: Project, tmp_path: Path, format: str, text: str
) -> None:
    options = ExportOptions(format=format, text=text, with_original=True)
    result = export(project, tmp_path / "out", options)
    check_sums(result)
    assert (text in ("one", "original")) == bool(result.unchosen_images)


def test_it_adds_up_where_files_are_damaged(project: Project, tmp_path: Path) -> None:
    shard = project.shard_file(1)
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1])
    try:
        options = ExportOptions(with_original=True, allow_partial=True)
        result = export(project, tmp_path / "out", options)
    finally:
        shard.write_bytes(whole)
    check_sums(result)
    assert (result.records, result.damaged) == (COUNT - SHARD_SIZE, 2 * SHARD_SIZE)


def test_an_image_that_one_model_could_not_read_is_in_no_export_of_another(
    project: Project, tmp_path: Path
) -> None:
    for keep in (False, True):
        options = ExportOptions(models=("one",), with_original=True, keep_unreadable=keep)
        export(project, tmp_path / f"{keep}.json", options)
        written = {row["image"] for row in json.loads((tmp_path / f"{keep}.json").read_bytes())}
        assert ("images/06.png" in written) == keep, "two found it corrupt"
        assert ("images/08.png" in written) == keep, "it was excluded"
        assert "images/07.png" in written, "the server of two refused it: it can be read"


def test_the_line_names_what_there_is() -> None:
    counts = ExportCounts(
        records=3, images=1, unreadable_images=2, possible=3, captions=1, failed=2
    )
    assert counts.sum_line() == (
        "3 images = 1 written + 2 known to be unreadable, missing or excluded;"
        " 3 captions = 1 written + 2 failed"
    )
    assert ExportCounts().sum_line() == "0 images = 0 written; 0 captions = 0 written"
