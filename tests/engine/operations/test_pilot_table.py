"""What counts of each model that a pilot tried, counted from its events."""

from __future__ import annotations

import pytest

from db.rows import DeviceRow, Rating
from engine.captioners.registry import choose
from engine.images.image import ImagePaths
from engine.operations.pilot import PilotFindings, PilotPlan
from engine.operations.pilot_table import pilot_lines
from engine.operations.tryout import TryoutEvent, TryoutJob
from engine.shearing.shear import Shearing
from tui.formatting.pilot_table import table_lines

GIB = 2**30
SAID = {
    "one": ["A dog runs.", "A red cat.", "A red cat.", "Sorry, I cannot describe this image."],
    "two": ["A dog runs.", "A red cat.", "A blue cat on the", "A house."],
}


def make_findings(total: int = 1000, devices: int = 2) -> PilotFindings:
    """Return the findings of a pilot of two models and five images, of which one is missing."""
    records = tuple((f"{i}.png", "") for i in range(5))
    jobs = []
    for name in SAID:
        choice = choose(f"{name}=http://localhost:8000/v1")
        job = TryoutJob(
            name=name,
            family=choice.family,
            checkpoint=choice.checkpoint,
            settings=choice.settings,
            records=[(i, image) for i, (image, _) in enumerate(records)],
            paths=ImagePaths("images"),
            device=DeviceRow(id="cpu:0"),
        )
        jobs.append((name, job))
    plan = PilotPlan(
        jobs=tuple(jobs),
        records=records,
        total=total,
        devices=devices,
        shearing=Shearing(),
        ratings={("two", 0): Rating(True, ""), ("two", 1): Rating(False, "no cat")},
    )
    return PilotFindings(plan)


def test_a_line_has_what_counts_of_a_model() -> None:
    findings = make_findings()
    before = pilot_lines(findings)[0]
    assert (before.captions, before.failed) == (0, 0)
    assert (before.agreement, before.memory, before.seconds) == (None, None, None)
    for name, texts in SAID.items():
        findings.add_event(name, TryoutEvent(loading="weights"))
        findings.add_event(name, TryoutEvent(loaded=30.0))
        for i, raw in enumerate(texts):
            finish = "length" if raw.endswith("the") else "stop"
            findings.add_event(name, TryoutEvent(record=i, raw=raw, tokens=5, finish=finish))
        findings.add_event(name, TryoutEvent(record=4, error="missing: 4.png"))
        findings.add_event(name, TryoutEvent(rate=10.0, memory=3 * GIB))
    one, two = pilot_lines(findings)
    assert (one.captions, one.failed, one.truncated, one.loops) == (4, 1, 0, 0)
    assert (one.duplicates, one.refusals) == (1, 1)
    assert (two.truncated, two.duplicates, two.refusals) == (1, 0, 0)
    assert (two.rated, two.good, one.rated) == (2, 1, 0)
    assert one.agreement is not None
    assert 0 < one.agreement < 1
    assert (one.load_seconds, one.memory, one.images_per_second) == (30.0, 3 * GIB, 10.0)
    assert one.seconds == pytest.approx(30 + 1000 / 10 / 2)
    assert findings.seconds == pytest.approx(2 * (30 + 1000 / 10 / 2))
    findings.rate("two", 1, None)
    assert pilot_lines(findings)[1].rated == 1


def test_a_model_alone_has_no_agreement() -> None:
    findings = make_findings()
    findings.add_event("one", TryoutEvent(record=0, raw="A dog runs.", tokens=5, finish="stop"))
    assert pilot_lines(findings)[0].agreement is None


def test_the_table_fits_into_80_columns() -> None:
    findings = make_findings(total=15_000_000)
    for name, texts in SAID.items():
        findings.add_event(name, TryoutEvent(loaded=75.0))
        for i, raw in enumerate(texts):
            findings.add_event(name, TryoutEvent(record=i, raw=raw, tokens=5, finish="length"))
        findings.add_event(name, TryoutEvent(rate=1234.5, memory=70 * GIB))
    head, first, second = table_lines(pilot_lines(findings), {"one": "DONE", "two": "RUN 4 of 5"})
    assert head.split() == [
        *("model", "cut", "loop", "dup", "ref", "agree", "img/s", "mem", "load", "all", "good"),
        "state",
    ]
    assert first.split()[:5] == ["one", "100%", "0%", "25%", "25%"]
    assert first.split()[6:] == ["1,234", "70.0", "1m15s", "1h42m", "-", "DONE"]
    assert second.split()[-6:] == ["1h42m", "1/2", "RUN", "4", "of", "5"]
    assert max(map(len, (head, first))) <= 72
