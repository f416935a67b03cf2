"""The quality of a project's captions: what is counted, and what is counted only once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from db.connection import writing
from db.tables import PROJECT, SHARD
from engine.operations.model_quality import ModelQuality, ScoreQuality
from engine.operations.quality import measure_quality
from engine.project.log_rows import digest
from engine.project.task_health import sampled_shards
from engine.protocol.caption_row import CaptionRow, Row, row_fields
from engine.quality.batch_finder import BatchFinder, Caption
from engine.quality.vocabulary import WordColumns
from engine.shearing.shear import Shearing
from engine.utils import jsonlines
from engine.utils.errors import BadInput
from tests.support.small_project import RECORDS, SmallProject, error
from tui.cli.main import cli
from tui.formatting.quality_table import quality_lines
from tui.formatting.scores import score_text

ORIGINALS = ("two dogs in Oslo", "two dogs in Oslo", "", "a cat<|im_end|>")
"""The original captions of each shard."""


@pytest.fixture
def project(small: SmallProject) -> SmallProject:
    """The small project with its shard files."""
    small.project.shards.mkdir()
    records = ({"image": f"{i}.jpg", "caption": text} for i, text in enumerate(ORIGINALS))
    data = b"".join(jsonlines.dumps(record) + b"\n" for record in records)
    for number in range(3):
        small.project.shard_file(number).write_bytes(data)
    with writing(small.project.database) as connection:
        connection.execute(update(SHARD).values(digest=digest(data)))
    small.state = small.load()
    return small


def said(i: int, raw: str, finish: str = "stop") -> CaptionRow:
    return CaptionRow(i, raw, 5, finish)


def append(small: SmallProject, task_id: int, rows: Iterable[Row]) -> None:
    with small.log(task_id).open("ab") as file:
        file.writelines(jsonlines.dumps(row_fields(row)) + b"\n" for row in rows)


def measured(small: SmallProject, **options: Any) -> dict[str, ModelQuality]:
    return {each.name: each for each in measure_quality(small.project, **options)}


def counted(quality: ModelQuality) -> dict[str, int]:
    return {name: count for name, count in quality.health.items() if count}


def test_the_quality_of_a_project(project: SmallProject) -> None:
    project.write_log(
        1, [said(0, "A dog in Oslo. It runs"), said(1, "A dog in Oslo. Yes"), error(2)]
    )
    project.write_log(
        2, [said(0, "Sure! A dog", "length"), said(3, "I'm sorry, but I can't see it")]
    )
    project.write_log(4, [said(0, "A dog in Oslo. No"), said(3, "red red red red"), said(2, " . ")])
    done: list[tuple[int, int]] = []
    models = measured(project, progress=lambda *shards: done.append(shards))
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert list(models) == ["original", "dry-run", "served"]
    assert models["dry-run"].as_dict(with_shards=False)["left"] == {"leaks": 0, "lead_ins": 1}
    assert models["original"].captions == 9
    assert counted(models["original"]) == {"duplicates": 7, "leaks": 3}
    assert models["original"].most_frequent == [("two dogs in Oslo", 6), ("a cat<|im_end|>", 3)]
    assert models["dry-run"].captions == 4
    assert counted(models["dry-run"]) == {
        "duplicates": 1,
        "same_as_other": 1,
        "truncated": 1,
        "refusals": 1,
        "lead_ins": 1,
    }
    assert models["dry-run"].most_frequent == [("A dog in Oslo", 2)]
    assert counted(models["served"]) == {"loops": 1, "same_as_other": 1, "empty": 1}
    style = models["dry-run"].style_dict()
    assert (style["names_kept"], style["numbers_kept"]) == (pytest.approx(2 / 3, abs=1e-4), 0.0)
    shards = [
        (each.shard, each.captions, each.health["refusals"]) for each in models["dry-run"].shards
    ]
    assert shards == [(0, 2, 0), (1, 2, 1), (2, 0, 0)]


def test_captions_that_are_cut_within_a_sentence_are_told(project: SmallProject) -> None:
    project.write_log(1, [said(0, "Capt. Ames steers a boat"), said(1, "A boat. It is red")])
    models = measured(project)
    quality = models["dry-run"].as_dict(with_shards=False)
    assert quality["shearing"]["cut_within_sentence"] == quality["defective"] == 1
    lines = list(quality_lines(list(models.values()), with_shards=False))
    (line,) = (line for line in lines if "within a sentence" in line)
    assert line.split()[-3:] == ["-", "1", "0"], "of the original, and of both models"


def test_one_model_and_none_of_that_name(project: SmallProject) -> None:
    assert list(measured(project, names=["served"])) == ["original", "served"]
    with pytest.raises(BadInput, match="no model 'x': it has dry-run, served"):
        measured(project, names=["x"])
    assert list(measured(project, names=["original"])) == ["original"]
    assert list(measured(project, names=["original", "served"])) == ["original", "served"]
    everything = measured(project)["original"].as_dict(with_shards=True)
    assert measured(project, names=["original"])["original"].as_dict(with_shards=True) == everything


def test_scorers_are_no_models_to_choose_from(project: SmallProject) -> None:
    project.change_models({2: {"family": "score"}})
    project.save()
    with pytest.raises(BadInput, match=r"no model 'x': it has dry-run$"):
        measured(project, names=["x"])
    with pytest.raises(BadInput, match="served is a scorer and writes no captions"):
        measured(project, names=["served"])


def test_the_output_is_the_form_that_is_promised(project: SmallProject) -> None:
    project.write_log(1, [said(0, "A dog.")])
    qualities = measure_quality(project.project)
    original, model, _ = [each.as_dict(with_shards=False) for each in qualities]
    assert json.loads(json.dumps(model)) == model
    assert list(model)[:5] == ["name", "captions", "health", "agreement", "scores"]
    assert (model["name"], model["captions"], model["agreement"]) == ("dry-run", 1, None)
    assert original["scores"] == {}
    assert set(model["health"]) >= {
        "loops",
        "duplicates",
        "empty",
        "truncated",
        "refusals",
        "leaks",
        "lead_ins",
        "other_script",
    }
    assert [each["captions"] for each in qualities[1].as_dict(with_shards=True)["shards"]] == [
        1,
        0,
        0,
    ]


def test_the_command_prints_what_is_promised(project: SmallProject) -> None:
    project.write_log(1, [said(0, "a dog"), said(1, "a dog")])
    folder = str(project.project.folder)
    printed = CliRunner().invoke(cli, ["quality", folder, "--model", "dry-run", "--json"])
    original, model = json.loads(printed.stdout)["models"]
    assert (original["name"], model["name"]) == ("original", "dry-run")
    assert model["health"]["duplicates"] == 1
    table = CliRunner().invoke(cli, ["--readonly", "quality", folder, "--shards"])
    assert (table.exit_code, "served, shard by shard:" in table.stdout) == (0, True)
    assert CliRunner().invoke(cli, ["quality", folder, "--language", "xx"]).exit_code == 2


def test_the_table_names_everything_that_is_counted(project: SmallProject) -> None:
    project.write_log(1, [said(0, "a dog"), said(1, "a dog")])
    lines = list(quality_lines(measure_quality(project.project), with_shards=True))
    assert any("duplicates" in line and "1 (50.0%)" in line for line in lines)
    assert any(line.split() == ["defective", "8", "(88.9%)", "1", "(50.0%)", "0"] for line in lines)
    assert any(line.split() == ["agreement", "-", "-", "-"] for line in lines)
    assert "  2 times: a dog" in lines
    assert "dry-run, shard by shard:" in lines


def test_what_shearing_leaves_has_a_row_where_it_cuts_any(project: SmallProject) -> None:
    def row_after(label: str) -> list[str]:
        lines = list(quality_lines(measure_quality(project.project), with_shards=False))
        place = next(n for n, line in enumerate(lines) if line.startswith(label))
        return lines[place + 1].split()

    project.write_log(1, [said(0, "a dog"), said(1, "a dog ASSISTANT: a cat")])
    assert row_after("leaks")[0] == "reasoning,"
    project.write_log(1, [said(0, "a dog<|im_end|>"), said(1, "a dog ASSISTANT: a cat")])
    assert row_after("leaks") == ["after", "shearing", "3", "(33.3%)", "1", "(50.0%)", "0"]


def test_captions_of_which_nothing_is_left_hold_no_leak(project: SmallProject) -> None:
    project.write_log(1, [said(0, "<|im_end|>"), said(1, "a dog ASSISTANT: a cat")])
    quality = measured(project)["dry-run"]
    assert (quality.health["leaks"], quality.left["leaks"], quality.health["empty"]) == (2, 1, 1)


def test_scores_near_zero_are_shown() -> None:
    scores = ScoreQuality(
        raw=1.234e-9, sheared=0.18864, beats_original=0.57, raw_bins=[], sheared_bins=[]
    )
    assert scores.as_dict() == {"raw": 1.23e-09, "sheared": 0.1886, "beats_original": 0.57}
    texts = [score_text(each) for each in (1.234e-9, -0.0004, 0.0, 0.0123, 0.18864)]
    assert texts == ["1.2e-09", "-4.0e-04", "0.000", "0.012", "0.189"]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The raw captions that are looked at, in their order."""
    texts: list[str] = []
    find = BatchFinder.find

    def listed(self: BatchFinder, captions: Sequence[Caption], columns: WordColumns) -> list[int]:
        texts.extend(caption.raw for caption in captions)
        return find(self, captions, columns)

    monkeypatch.setattr(BatchFinder, "find", listed)
    return texts


def test_only_new_rows_are_looked_at(project: SmallProject, looked_at: list[str]) -> None:
    project.write_log(1, [said(0, "A dog.")])
    measured(project)
    assert len(looked_at) == 3 * 3 + 1
    looked_at.clear()
    append(project, 1, [said(1, "A cat."), error(2)])
    assert measured(project)["dry-run"].captions == 2
    assert looked_at == ["A cat."]
    looked_at.clear()
    measured(project)
    assert looked_at == []


def test_after_readonly_nothing_is_written(project: SmallProject, looked_at: list[str]) -> None:
    project.write_log(1, [said(0, "A dog.")])
    before = sorted(project.project.folder.rglob("*"))
    assert measured(project, readonly=True)["dry-run"].captions == 1
    assert sorted(project.project.folder.rglob("*")) == before
    looked_at.clear()
    measured(project, readonly=True)
    assert "A dog." in looked_at


def cut_back(small: SmallProject) -> None:
    data = small.log(1).read_bytes()
    small.log(1).write_bytes(data[: data.index(b"\n") + 1])
    append(small, 1, [said(1, "Another dog.")])


def tear(small: SmallProject) -> None:
    with small.log(1).open("ab") as file:
        file.write(b'{"i":3,"raw":"half')


def change_shearing(small: SmallProject) -> None:
    small.state.set_shearing(Shearing("sentence"))
    small.save()


def health_file(small: SmallProject) -> Path:
    return next(small.log(1).parent.glob("00000.health-*.msgpack"))


def flip(small: SmallProject) -> None:
    data = bytearray(health_file(small).read_bytes())
    data[len(data) // 2] ^= 1
    health_file(small).write_bytes(data)


CHANGES: dict[str, Callable[[SmallProject], object]] = {
    "a caption is replaced": lambda small: append(small, 1, [said(0, "I cannot see the image")]),
    "a caption is replaced by the same": lambda small: append(small, 1, [said(0, "A dog.")]),
    "the log is cut back and goes on": cut_back,
    "the log has a torn tail": tear,
    "the log is gone": lambda small: small.log(1).unlink(),
    "the shearing is another": change_shearing,
    "a health file is damaged": flip,
    "a health file is cut": lambda small: health_file(small).write_bytes(b"x"),
    "a health file is gone": lambda small: health_file(small).unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_after_any_change_the_counts_are_those_of_a_first_look(
    project: SmallProject, change: str
) -> None:
    project.write_log(1, [said(0, "A dog."), said(1, "Sure! A cat"), said(2, "A dog.")])
    measured(project)
    CHANGES[change](project)
    second = measured(project)
    for file in project.project.folder.rglob("*.health-*"):
        file.unlink()
    assert measured(project) == second


def test_health_files_of_other_settings_are_removed(project: SmallProject) -> None:
    project.write_log(1, [said(0, "A dog.")])
    measured(project)
    first = health_file(project)
    measured(project, language="de")
    assert not first.exists()
    assert len(list(project.log(1).parent.glob("*.health-*"))) == 1


def test_a_damaged_log_is_refused(project: SmallProject) -> None:
    project.write_log(1, [said(i, "a dog") for i in range(RECORDS)])
    project.take_over_logs()
    measured(project)
    project.write_log(1, [said(i, "a cat") for i in range(RECORDS)])
    with pytest.raises(BadInput, match=r"was changed after its task was done"):
        measured(project)


def test_what_is_not_done_is_told_until_it_is(project: SmallProject) -> None:
    for task in range(1, 7):
        project.write_log(task, [said(i, f"dog {i}") for i in range(RECORDS)])
    project.take_over_logs()
    folder = str(project.project.folder)
    assert CliRunner().invoke(cli, ["quality", folder, "--json"]).stderr == ""
    project.log(1).write_bytes(b"")
    damaged = CliRunner().invoke(cli, ["quality", folder, "--json"])
    assert isinstance(damaged.exception, BadInput)
    for model in ("dry-run", "served"):
        again = CliRunner().invoke(cli, ["quality", folder, "--model", model, "--json"])
        told = "1 of 3 tasks is not done: their captions are counted as far as they are there\n"
        assert (again.exit_code, again.stderr) == (0, told if model == "dry-run" else "")


def test_a_missing_shard_file_is_refused(project: SmallProject) -> None:
    project.project.shard_file(1).unlink()
    with pytest.raises(BadInput, match="is missing since the input was split"):
        measured(project)


def test_the_sample_is_spread_over_a_large_set(project: SmallProject) -> None:
    shards = list(project.state.shards.values())
    assert sampled_shards(shards) == {0, 1, 2}
    large = [replace(shard, count=10_000, number=n) for n, shard in enumerate(shards * 100)]
    assert sampled_shards(large) == set(range(0, 300, 30))


def test_captions_that_cannot_be_compared_have_a_reason(project: SmallProject) -> None:
    project.write_log(1, [said(0, "一只狗"), said(1, "...")])
    project.write_log(4, [said(0, "一只猫"), said(1, "a dog")])
    models = measured(project)
    reason = "no image has two captions with words yet"
    assert (models["served"].agreement, models["served"].no_agreement) == (None, reason)
    assert models["dry-run"].as_dict(with_shards=False)["no_agreement"] == reason
    assert f"agreement: {reason}" in quality_lines(list(models.values()), with_shards=False)
    append(project, 1, [said(1, "a dog")])
    assert measured(project)["dry-run"].agreement == 1.0
    assert measured(project)["dry-run"].no_agreement is None


def test_agreement_before_shearing_is_that_of_raw_captions(project: SmallProject) -> None:
    project.write_log(1, [said(0, "a dog. A red car"), said(1, "a cat. Two birds")])
    project.write_log(4, [said(0, "a dog. A green tree"), said(1, "a cat. Two birds")])
    shearing = measured(project)["dry-run"].as_dict(with_shards=False)["shearing"]
    assert shearing["agreement"]["sheared"] == 1.0
    assert 0.5 < shearing["agreement"]["raw"] < 1.0


def test_a_lead_in_that_shearing_cuts_spoils_no_caption(project: SmallProject) -> None:
    texts = ("Certainly! A dog runs", "Well, a cat", "1. A cow")
    project.write_log(1, [said(i, text) for i, text in enumerate(texts)])
    assert measured(project)["dry-run"].health["lead_ins"] == 3
    assert measured(project)["dry-run"].defective == 2, "the family keeps all but the number"
    with writing(project.project.database) as connection:
        connection.execute(update(PROJECT).values(shear_mode="sentence"))
    sheared = measured(project)["dry-run"]
    assert (sheared.health["lead_ins"], sheared.defective) == (3, 1)
