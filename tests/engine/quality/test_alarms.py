"""Which figures give an alarm, by limits that a person sets or that a pilot moves."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from engine.captioners.setting_changes import apply_changes
from engine.captioners.settings import Settings
from engine.quality.alarms import (
    LIMITS,
    LOOK_AT,
    NAMES,
    SAID,
    Figures,
    HealthRecord,
    Limit,
    State,
    bad_news,
    limits_of,
    new_alarms,
    parse_limits,
    too_many,
)
from engine.utils.errors import BadInput

NO_PILOT = Figures()


def figures(captions: int = 200, **counts: int) -> Figures:
    return Figures(captions, dict(counts))


def test_every_name_has_its_limits_and_words() -> None:
    assert set(LIMITS) == set(SAID) == set(LOOK_AT) == set(NAMES)


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (figures(), {}),
        (figures(loops=4), {}),
        (figures(loops=6), {}),
        (figures(loops=7), {"loops": "warned"}),
        (figures(loops=60), {"loops": "warned"}),
        (figures(loops=61), {"loops": "stopped"}),
        (figures(20, loops=4), {}),
        (figures(truncated=200), {}),
        (figures(lead_ins=200, no_caption=150), {"lead_ins": "warned", "no_caption": "stopped"}),
        (figures(unheard_of=200), {}),
        (figures(0), {}),
        (figures(100, no_caption=49, leaks=5), {"no_caption": "warned", "leaks": "warned"}),
        (figures(100, no_caption=100), {"no_caption": "stopped"}),
    ],
)
def test_too_many(seen: Figures, found: Mapping[str, str]) -> None:
    assert too_many(seen, limits_of("", NO_PILOT)) == found


@pytest.mark.parametrize(
    ("limits", "pilot", "name", "limit"),
    [
        ("", NO_PILOT, "loops", LIMITS["loops"]),
        ("", figures(100, loops=8), "loops", Limit(0.16, 0.43)),
        ("", figures(100, loops=1), "loops", LIMITS["loops"]),
        ("", figures(100, loops=90), "loops", Limit(1.0, 1.0)),
        ("", figures(100, truncated=90), "truncated", Limit(None, None)),
        ("loops=0.5/0.9", figures(100, loops=8), "loops", Limit(0.5, 0.9)),
        ("loops=0.5", NO_PILOT, "loops", Limit(0.5, None)),
        ("loops=off", NO_PILOT, "loops", Limit(None, None)),
        ("truncated=0.1/0.2, loops=off/0.9", NO_PILOT, "truncated", Limit(0.1, 0.2)),
        ("nonsense", NO_PILOT, "loops", LIMITS["loops"]),
    ],
)
def test_limits(limits: str, pilot: Figures, name: str, limit: Limit) -> None:
    found = limits_of(limits, pilot)[name]
    assert found == pytest.approx(limit) if None not in limit else found == limit


@pytest.mark.parametrize(
    "text", ["loops", "loops=", "loops=2", "loops=-1", "loops=nan", "ugly=0.1", "loops=0.5/0.1"]
)
def test_limits_that_make_no_sense(text: str) -> None:
    with pytest.raises(BadInput):
        parse_limits(text)
    with pytest.raises(BadInput, match="limits must be shares of bad captions"):
        apply_changes(Settings(), {"limits": text})


def test_limits_are_a_setting() -> None:
    settings = apply_changes(Settings(), {"limits": "loops=0.1/0.5"})
    assert settings.limits == "loops=0.1/0.5"
    assert apply_changes(settings, {"limits": "none"}) == Settings()


@pytest.mark.parametrize(
    ("before", "may_stop", "state"),
    [
        ({}, True, "stopped"),
        ({}, False, "warned"),
        ({"loops": "warned"}, True, "stopped"),
        ({"loops": "warned"}, False, None),
        ({"loops": "stopped"}, True, None),
        ({"loops": "let"}, True, None),
    ],
)
def test_an_alarm_is_told_once(
    before: Mapping[str, State], may_stop: bool, state: str | None
) -> None:
    alarms = new_alarms(figures(loops=100), limits_of("", NO_PILOT), before, may_stop)
    assert [alarm.state for alarm in alarms] == [state] * (state is not None)
    for alarm in alarms:
        assert alarm.text.startswith("100 of 200 captions loop: look at dtype")


def test_a_record_is_read_as_it_was_written() -> None:
    record = HealthRecord(figures(loops=3), figures(64), {"loops": "warned"})
    assert HealthRecord.of(record.text) == record
    for text in ("", "[", "[1]", '{"states": {"loops": "gone"}}', '{"figures": 3}', "[" * 10_000):
        assert HealthRecord.of(text) == HealthRecord()


def test_answers_without_a_caption_are_no_captions() -> None:
    seen = figures(85, no_caption=15, leaks=21)
    assert seen.says("leaks", " of otter") == "21 of 70 captions of otter have leaks"
    assert seen.says("no_caption", " of otter") == "15 of 85 answers of otter hold no caption"
    assert (seen.share("leaks"), seen.share("no_caption")) == (0.3, 15 / 85)
    assert figures(3, no_caption=3).share("leaks") == 0


def test_bad_news_of_a_few() -> None:
    (line,) = bad_news(figures(3, reasoning=2), LIMITS, least=1)
    assert line.startswith("2 of 3 captions hold reasoning: look at template")
