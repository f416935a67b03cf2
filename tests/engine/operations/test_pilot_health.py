"""A pilot says what a run would say of the captions, and moves what a run warns of."""

from __future__ import annotations

import pytest

from db.rows import DeviceRow
from engine.captioners.registry import choose
from engine.images.image import ImagePaths
from engine.operations.caption_health import bad_news_of_caption
from engine.operations.pilot import PilotFindings, PilotPlan, keep_figures
from engine.operations.tryout import TryoutEvent, TryoutJob
from engine.quality.alarms import Figures, HealthRecord, limits_of
from engine.shearing.shear import Shearing
from tests.support.small_project import SmallProject

LOOP = "standing standing standing standing sleeping standing"


@pytest.fixture
def findings() -> PilotFindings:
    choice = choose("served=http://localhost:8000/v1")
    job = TryoutJob(
        family=choice.family,
        checkpoint=choice.checkpoint,
        settings=choice.settings,
        records=[(i, f"{i}.png") for i in range(40)],
        paths=ImagePaths("images"),
        device=DeviceRow(id="cpu:0"),
        name="served",
    )
    plan = PilotPlan(
        jobs=(("served", job),),
        records=tuple((f"{i}.png", "") for i in range(40)),
        total=1000,
        devices=1,
        shearing=Shearing(),
    )
    return PilotFindings(plan)


def test_what_a_pilot_says_and_keeps(findings: PilotFindings, small: SmallProject) -> None:
    assert findings.bad_news("served") == []
    for i in range(40):
        raw = LOOP if i < 4 else f"A dog with {i} spots."
        event = TryoutEvent(record=i, raw=raw, tokens=5, finish="stop")
        if i == 39:
            event = TryoutEvent(record=i, error="no_caption: the answer is empty")
        findings.add_event("served", event)
    (line,) = findings.bad_news("served")
    assert line.startswith("4 of 39 captions loop: look at dtype"), "one answer has none"
    keep_figures(small.project, findings)
    record = HealthRecord.of(small.load().models[2].health)
    assert record.pilot == Figures(40, {"loops": 4, "no_caption": 1})
    assert limits_of("", record.pilot)["loops"].warn == pytest.approx(8 / 39)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("A dog runs.", None),
        (LOOP, "1 of 1 captions loop"),
        ("<think>Hm.</think>A dog runs.", "1 of 1 captions hold reasoning"),
        ("A dog ASSISTANT: runs.", "1 of 1 captions have leaks"),
        ("A dog runs.###Human: and now?", None),
    ],
)
def test_what_is_said_of_one_caption(raw: str, said: str | None) -> None:
    settings = choose("served=http://localhost:8000/v1").settings
    lines = bad_news_of_caption("endpoint", settings, raw, "stop", Shearing())
    assert bool(lines) == (said is not None)
    assert said is None or lines[0].startswith(said)
