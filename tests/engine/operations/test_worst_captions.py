"""The worst captions, the last report, and what `quality` says beside health."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from engine.operations.last_quality import QualityReport, count_quality, read_last_quality
from engine.operations.model_quality import AGREEMENT, SCORE, Example
from engine.operations.quality import measure_quality
from engine.operations.worst_captions import worst_captions
from engine.project import shard_comparison
from engine.project.layout import Project
from engine.quality.comparison import ORIGINAL
from engine.quality.quality_filter import CONTRADICTED
from engine.shearing.shear import Shearing, shear_text
from engine.utils.errors import BadInput
from tests.support.fake_scorer import scores_of
from tests.support.judged_project import (
    SCORER,
    SHARD_SIZE,
    SHARDS,
    make_judged_project,
    original,
    raw_caption,
)
from tui.cli.main import cli

RECORDS = range(SHARDS * SHARD_SIZE)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_judged_project(tmp_path_factory.mktemp("judged") / "p")


def score(text: str) -> float:
    """Return the score of a text, by its definition."""
    (value,) = scores_of(text).values()
    return value


def sheared(model: str, number: int) -> str:
    return shear_text(raw_caption(model, number), "dry-run", Shearing(), "stop")[0]


def key(number: int) -> tuple[int, int]:
    return divmod(number, SHARD_SIZE)


def test_the_worst_by_a_defect(project: Project) -> None:
    loops = [number for number in RECORDS if "standing" in raw_caption("otter", number)]
    assert worst_captions(project, "otter", "loops", 99) == list(map(key, loops))
    assert worst_captions(project, "otter", "loops", 3) == list(map(key, loops[:3]))
    assert worst_captions(project, "otter", "duplicates", 99) == list(map(key, loops[1:]))
    assert worst_captions(project, "llava-1.5", "refusals", 9) == [key(7)]
    assert worst_captions(project, "qwen-vl", "same_as_other", 9) == []
    repeated = worst_captions(project, ORIGINAL, "duplicates", 99)
    assert sorted(repeated) == [key(n) for n in RECORDS if n >= 20 and n != 31]


def test_the_worst_by_a_score_are_those_of_the_lowest(project: Project) -> None:
    by_score = sorted(RECORDS, key=lambda number: score(sheared("qwen-vl", number)))
    assert worst_captions(project, "qwen-vl", f"{SCORE}{SCORER}", 7) == [
        key(number) for number in by_score[:7]
    ]
    originals = worst_captions(project, ORIGINAL, f"{SCORE}{SCORER}", 1)
    assert original(originals[0][0] * SHARD_SIZE + originals[0][1]) == min(
        map(original, RECORDS), key=score
    )


def test_the_worst_by_agreement_come_from_captions_that_nobody_supports(project: Project) -> None:
    worst = worst_captions(project, "llava-1.5", AGREEMENT, 2)
    assert set(worst) <= {key(7), key(9), *(key(n) for n in RECORDS if n % 4 == 0 or n >= 40)}


def test_originals_that_no_model_supports(project: Project) -> None:
    assert worst_captions(project, ORIGINAL, CONTRADICTED, 9) == [key(11)]
    original_quality = measure_quality(project)[0]
    assert original_quality.examples["contradicted"] == Example(0, 11, "stock market chart")


def test_a_model_that_is_none_and_damage_are_told(project: Project, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no model 'x'"):
        worst_captions(project, "x", "loops", 9)
    broken = make_judged_project(tmp_path / "p")
    broken.shard_file(1).write_bytes(b"")
    with pytest.raises(BadInput, match=r"00001\.jsonl"):
        worst_captions(broken, "otter", "loops", 9, readonly=True)


def test_scores_and_agreement_in_the_output(project: Project) -> None:
    printed = CliRunner().invoke(cli, ["quality", str(project.folder), "--json"])
    models = {model["name"]: model for model in json.loads(printed.stdout)["models"]}
    assert list(models) == ["original", "llava-1.5", "otter", "qwen-vl"], "a scorer is no row"
    kept = [score(sheared("qwen-vl", number)) for number in RECORDS]
    raw = [score(raw_caption("qwen-vl", number)) for number in RECORDS]
    before = [score(original(number)) for number in RECORDS]
    assert models["qwen-vl"]["scores"]["clip"] == {
        "raw": pytest.approx(sum(raw) / len(raw), abs=1e-4),
        "sheared": pytest.approx(sum(kept) / len(kept), abs=1e-4),
        "beats_original": pytest.approx(
            sum(a > b for a, b in zip(kept, before, strict=True)) / len(RECORDS), abs=1e-4
        ),
    }
    assert models["original"]["scores"]["clip"]["raw"] == pytest.approx(
        sum(before) / len(before), abs=1e-4
    )
    assert 0 < models["otter"]["agreement"] < models["qwen-vl"]["agreement"] <= 1
    assert 0 < models["original"]["agreement"] <= 1
    assert [model["contradicted"] for model in models.values()] == [1, None, None, None]


def test_one_model_of_several_agrees_as_it_does_among_all(project: Project) -> None:
    alone = measure_quality(project, ["otter"])
    assert [each.name for each in alone] == ["original", "otter"]
    assert alone[1].agreement == measure_quality(project)[2].agreement


def test_a_project_of_one_model_has_nothing_to_agree_with(tmp_path: Path) -> None:
    single = make_judged_project(tmp_path / "p", ["otter"], scorer=False)
    originals, otter = measure_quality(single)
    assert originals.contradicted is None
    assert (otter.agreement, otter.agrees_better, otter.scores) == (None, None, {})
    assert not list(single.shards.glob("*.compared.msgpack"))


def test_examples_lengths_and_defective_captions(project: Project) -> None:
    qualities = {each.name: each for each in measure_quality(project)}
    llava, otter = qualities["llava-1.5"], qualities["otter"]
    assert llava.examples["refusals"].text == "I'm sorry, but I can't see this image"
    assert (llava.examples["refusals"].shard, llava.examples["refusals"].i) == (0, 7)
    assert llava.examples["leaks"].text.startswith("###Human:"), "a leak is seen in the raw text"
    assert otter.defective == otter.health["loops"] == 30
    assert [shard.defective for shard in otter.shards] == [5, 5, 20]
    assert otter.raw_lengths[7] == otter.sheared_lengths[7] == 30
    assert sum(otter.raw_lengths) == 60
    assert otter.as_dict(with_shards=False)["defective"] == 30


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The shards whose captions are compared anew."""
    shards: list[int] = []
    make = shard_comparison.make_comparison

    def note(job: shard_comparison.ComparisonJob) -> object:
        shards.append(job.shard.number)
        return make(job)

    monkeypatch.setattr(shard_comparison, "make_comparison", note)
    yield shards


def test_only_shards_that_changed_are_compared_anew(tmp_path: Path, compared: list[int]) -> None:
    project = make_judged_project(tmp_path / "p", scorer=False)
    first = measure_quality(project)
    assert compared == [0, 1, 2]
    assert measure_quality(project) == first
    assert compared == [0, 1, 2]
    kept = project.shards / "00001.compared.msgpack"
    kept.write_bytes(kept.read_bytes()[:-1])
    assert measure_quality(project) == first
    assert compared == [0, 1, 2, 1], "a damaged file is made again"
    (log,) = (project.captions).glob("otter-*/00002.jsonl")
    log.touch()
    assert measure_quality(project) == first
    assert compared == [0, 1, 2, 1, 2], "its log may have changed"


def test_the_last_report_is_kept_for_the_next_look(tmp_path: Path) -> None:
    project = make_judged_project(tmp_path / "p")
    assert read_last_quality(project) is None
    count_quality(project, "en", 5.0, readonly=True)
    assert read_last_quality(project) is None, "nothing is written"
    assert not list(project.shards.glob("*.msgpack"))
    report = count_quality(project, "en", 7.0)
    assert read_last_quality(project) == report
    assert report.counted == 7.0


@pytest.mark.parametrize("change", ["health", "lengths", "bins", "cut", "none"])
def test_a_report_that_this_program_did_not_write_is_none(tmp_path: Path, change: str) -> None:
    project = Project(tmp_path)
    source = make_judged_project(tmp_path / "p")
    report = count_quality(source, "en", 7.0, readonly=True)
    otter = report.models[2]
    if change == "health":
        del otter.health["loops"]
    elif change == "lengths":
        otter.raw_lengths.pop()
    elif change == "bins":
        otter.scores["clip"].raw_bins.pop()
    models = [] if change == "none" else report.models
    data = msgspec.msgpack.encode(QualityReport(7.0, models))
    project.quality.write_bytes(data[:-1] if change == "cut" else data)
    assert read_last_quality(project) is None
