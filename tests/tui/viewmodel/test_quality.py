"""The verdicts on the captions of a model, and which of its defects is the worst."""

from __future__ import annotations

from dataclasses import replace

import pytest

from db.rows import ModelRow
from engine.operations.model_quality import Example, ModelQuality
from engine.quality.alarms import LIMITS, Figures, HealthRecord, Limit
from engine.quality.facts import FactSums
from engine.quality.quality_filter import HEALTH_NAMES
from engine.quality.style import style_of
from tests.support.canned_rows import model_row
from tui.viewmodel.quality import DefectLine, defect_lines, missing_figures, worst_line
from tui.viewmodel.quality_limits import limits_for, verdict_of


def quality(captions: int = 600, **health: int) -> ModelQuality:
    return ModelQuality(
        name="otter",
        captions=captions,
        health=dict.fromkeys(HEALTH_NAMES, 0) | health,
        sampled=captions,
        style=style_of([]),
        facts=FactSums(),
        most_frequent=[],
        shards=[],
        examples={"loops": Example(0, 4, "red red red")},
        raw_lengths=[],
        sheared_lengths=[],
    )


@pytest.mark.parametrize(
    ("name", "count", "verdict"),
    [
        ("loops", 0, "none"),
        ("loops", 4, "few"),
        ("loops", 18, "few"),
        ("loops", 19, "too many"),
        ("loops", 181, "alarming"),
        ("duplicates", 61, "too many"),
        ("lead_ins", 600, "too many"),
        ("truncated", 600, "-"),
        ("same_as_other", 600, "-"),
    ],
)
def test_verdicts_are_those_of_the_alarms(name: str, count: int, verdict: str) -> None:
    assert verdict_of(name, count, 600, LIMITS) == verdict


def test_a_defect_is_judged_by_what_shearing_leaves() -> None:
    def leak_line(left: int) -> DefectLine:
        counted = replace(quality(leaks=590), left={"leaks": left})
        return next(line for line in defect_lines(counted, LIMITS) if line.name == "leaks")

    said = "590 of 600 leak a prompt or template"
    assert leak_line(0).verdict == "-"
    assert leak_line(0).sentence == f"{said}, 0 after shearing"
    assert leak_line(100).sentence == f"{said}, 100 after shearing: too many (over 5%)"
    assert leak_line(590).sentence == f"{said}: alarming (over 50%)"


def test_some_few_captions_are_chance_whatever_their_share() -> None:
    assert verdict_of("loops", 4, 4, LIMITS) == "few"


def test_limits_are_those_of_the_model() -> None:
    model: ModelRow = model_row(1, "otter")
    assert limits_for(None) == limits_for(model) == LIMITS
    set_by_hand = replace(model, settings={"limits": "loops=0.6,leaks=off"})
    assert limits_for(set_by_hand)["loops"] == Limit(0.6, None)
    assert limits_for(set_by_hand)["leaks"] == Limit(None, None)
    record = HealthRecord(pilot=Figures(captions=50, counts={"loops": 10}))
    assert limits_for(replace(model, health=record.text))["loops"].warn == 0.4


def test_the_worst_defect_comes_first() -> None:
    lines = defect_lines(quality(loops=82, refusals=250, truncated=600, empty=1), LIMITS)
    assert [line.name for line in lines[:4]] == ["refusals", "loops", "empty", "truncated"]
    assert sorted(line.name for line in lines) == sorted(HEALTH_NAMES)
    assert lines[0].sentence == "250 of 600 refuse: alarming (over 30%)"
    assert lines[1].sentence == "82 of 600 loop: too many (over 3%)"
    assert lines[2].sentence == "1 of 600 has no letter or digit"
    assert (lines[1].example, lines[0].example) == (Example(0, 4, "red red red"), None)


@pytest.mark.parametrize(
    ("loops", "sentence"),
    [
        (18, "18 of 600 loop"),
        (82, "82 of 600 loop: few (this model's own limit is 40%, not 3%)"),
        (250, "250 of 600 loop: too many (over 40%)"),
    ],
)
def test_a_limit_that_the_pilot_moved_is_named(loops: int, sentence: str) -> None:
    moved = {**LIMITS, "loops": Limit(0.4, None)}
    lines = defect_lines(quality(loops=loops), moved)
    assert [line.sentence for line in lines if line.name == "loops"] == [sentence]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (quality(), None),
        (quality(truncated=600, near_duplicates=9), None),
        (quality(truncated=600, loops=1), "loops"),
        (quality(captions=0), None),
    ],
)
def test_a_worst_defect_has_a_limit(given: ModelQuality, name: str | None) -> None:
    line = worst_line(given, LIMITS)
    assert (line and line.name) == name


def test_every_defect_has_words() -> None:
    for line in defect_lines(quality(**dict.fromkeys(HEALTH_NAMES, 2)), LIMITS):
        assert isinstance(line, DefectLine)
        assert line.label
        assert line.sentence.startswith("2 of 600 ")
    assert defect_lines(quality(captions=0), LIMITS)[0].sentence.startswith("there is no")


def test_a_missing_figure_has_its_reason() -> None:
    single = replace(quality(), no_agreement="the project has one model")
    alone = missing_figures([quality(), single])
    assert alone[0] == "Agree: the project has one model"
    assert alone[1].startswith("Score: no scorer")
    agreed = replace(quality(), agreement=0.5)
    assert not missing_figures([quality(), agreed, agreed])[0].startswith("Agree")
