"""Why pending tasks do not start, in every case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from db.rows import DeviceRow, ModelRow
from engine.state.policy import Policy
from engine.state.waiting import ModelWork, Obstacle, WaitFacts, clock, find_waits

NOW = 1e9


def model(number: int, name: str, **values: object) -> ModelRow:
    row = ModelRow(
        id=number,
        position=number,
        name=name,
        family="dry-run",
        checkpoint=None,
        settings={},
        settings_hash="0",
    )
    return replace(row, **values)  # type: ignore[arg-type]


def work(
    pending: int = 3,
    running: int = 0,
    due_at: float = 0.0,
    waiting_for_captions: int = 0,
    **values: object,
) -> ModelWork:
    """Return the work of the model that waits, as a rule."""
    return ModelWork(
        model=model(1, "a", **values),
        pending=pending,
        running=running,
        due_at=due_at,
        waiting_for_captions=waiting_for_captions,
    )


def other(pending: int = 0, running: int = 0, **values: object) -> ModelWork:
    return ModelWork(model=model(2, "b", **values), pending=pending, running=running)


GPU = DeviceRow(id="cuda:0")
PINNED = replace(GPU, pinned_model_id=2)
RESTS = replace(GPU, id="cuda:1", state="resting", rest_until=NOW + 200)
LOST = replace(GPU, id="cuda:2", state="lost")
FACTS = WaitFacts(now=NOW, folder=Path("/my run"), work=[work()], devices=[GPU])
UNPIN = "('mllmaug-tui unpin '/my run' cuda:0')"


@pytest.mark.parametrize(
    ("facts", "reason", "obstacles"),
    [
        # One obstacle
        (
            replace(FACTS, devices=[PINNED], work=[work(), other()]),
            f"cuda:0 is pinned to b, which is finished {UNPIN}",
            {"pinned"},
        ),
        (
            replace(FACTS, devices=[PINNED], work=[work(), other(blocked="no weights")]),
            f"cuda:0 is pinned to b, which cannot be loaded {UNPIN}",
            {"pinned"},
        ),
        (
            replace(FACTS, devices=[PINNED], work=[work(), other(1, not_before=NOW + 10)]),
            f"cuda:0 is pinned to b, which waits for its server {UNPIN}",
            {"pinned"},
        ),
        (
            replace(FACTS, devices=[PINNED], work=[work(), other(0, running=1)]),
            f"cuda:0 is pinned to b, which has work left {UNPIN}",
            {"pinned_busy"},
        ),
        (
            replace(FACTS, devices=[PINNED]),
            f"cuda:0 is pinned to a model that the project does not have {UNPIN}",
            {"pinned"},
        ),
        (
            replace(FACTS, devices=[RESTS]),
            f"cuda:1 is resting after failures, until {clock(NOW + 200)}",
            {"resting"},
        ),
        (
            replace(FACTS, devices=[LOST]),
            "cuda:2 is lost ('mllmaug-tui wake '/my run' cuda:2' tries it again)",
            {"lost"},
        ),
        (replace(FACTS, devices=[]), "the run has no device; it waits for nodes", {"no_device"}),
        (
            replace(FACTS, load_at={("cuda:0", 1): NOW + 60}),
            f"cuda:0 may load it again at {clock(NOW + 60)}",
            {"load"},
        ),
        (
            replace(FACTS, slotless=frozenset({"cuda:0"})),
            "cuda:0 is waiting for a slot in the cluster",
            {"slot"},
        ),
        (
            replace(FACTS, work=[work(not_before=NOW + 30, unavailable="HTTP 500")]),
            f"its server is asked again at {clock(NOW + 30)} (HTTP 500)",
            {"server"},
        ),
        (
            replace(FACTS, work=[work(due_at=NOW + 30)]),
            f"after a failed attempt, until {clock(NOW + 30)}",
            {"strike"},
        ),
        (
            replace(FACTS, work=[work(waiting_for_captions=3), other(2)]),
            "their shards are still captioned",
            {"captions"},
        ),
        # Several
        (
            replace(FACTS, devices=[PINNED, RESTS, LOST], work=[work(), other()]),
            f"cuda:0 is pinned to b, which is finished {UNPIN};"
            f" cuda:1 is resting after failures, until {clock(NOW + 200)};"
            " cuda:2 is lost ('mllmaug-tui wake '/my run' cuda:2' tries it again)",
            {"pinned", "resting", "lost"},
        ),
        (
            replace(
                FACTS,
                devices=[replace(RESTS, id=f"cuda:{n}", rest_until=NOW + n) for n in (9, 2, 3, 4)],
            ),
            f"cuda:9, cuda:2, cuda:3 and 1 more are resting after failures, until {clock(NOW + 2)}",
            {"resting"},
        ),
        # Nothing to tell
        (FACTS, None, set()),
        (replace(FACTS, devices=[RESTS, GPU]), None, set()),
        (replace(FACTS, devices=[replace(GPU, pinned_model_id=1)]), None, set()),
        (replace(FACTS, devices=[RESTS], work=[work(pending=0)]), None, set()),
        (replace(FACTS, devices=[RESTS], work=[work(running=1)]), None, set()),
        (replace(FACTS, work=[work(waiting_for_captions=2)]), None, set()),
        (replace(FACTS, devices=[RESTS], work=[work(blocked="no weights")]), None, set()),
        (replace(FACTS, load_at={("cuda:0", 1): NOW - 1}), None, set()),
        (replace(FACTS, load_at={("cuda:0", 2): NOW + 60}), None, set()),
        # The clock was set back
        (replace(FACTS, work=[work(not_before=NOW + 1e6)]), None, set()),
        (replace(FACTS, work=[work(due_at=NOW + 1e6)]), None, set()),
    ],
)
def test_wait(facts: WaitFacts, reason: str | None, obstacles: set[Obstacle]) -> None:
    waits = [wait for wait in find_waits(facts, Policy()) if wait.model.id == 1]
    assert [wait.reason for wait in waits] == ([] if reason is None else [reason])
    assert {obstacle for wait in waits for obstacle in wait.obstacles} == obstacles


def test_the_line_counts_tasks() -> None:
    facts = replace(FACTS, devices=[])
    (wait,) = find_waits(facts, Policy())
    assert wait.text == "3 tasks of a wait: the run has no device; it waits for nodes"
    (wait,) = find_waits(replace(facts, work=[work(pending=1)]), Policy())
    assert wait.text.startswith("1 task of a waits: ")
    assert wait.short_text.startswith("1 task waits: ")
