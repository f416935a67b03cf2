"""The checker is checked for logs of scores: each breach that is planted here is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.sim import simulation
from tests.sim.project import SCORED, template
from tests.sim.simulation import Simulation
from tests.sim.test_invariants import Done

Rows = list[dict[str, object]]


class ScoredProject(Done):
    """A simulated project that is done, and has a scorer."""

    def log(self) -> Path:
        """Return the scorer's log of the first shard."""
        return min(self.project.captions.glob("f-*/00000.jsonl"))


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> ScoredProject:
    """Give a project with a scorer that was done without a fault."""
    monkeypatch.setattr(simulation, "STORM_RUNS", (1, 1))
    schedules = (Simulation(seed, only=set()) for seed in count(1))
    schedule = next(s for s in schedules if s.template in map(template, SCORED))
    assert schedule.run().violations == []
    schedule.checker.truth.redone.clear()
    done = ScoredProject(schedule.project, schedule.checker, schedule.disk)
    assert done.violations(end=True) == []
    return done


def first_scores(rows: Rows) -> dict[str, float]:
    scores = next(row["scores"] for row in rows if "scores" in row)
    assert isinstance(scores, dict)
    return scores


def wrong_score(rows: Rows) -> Rows:
    scores = first_scores(rows)
    scores[min(scores)] += 0.25
    return rows


def lost_score(rows: Rows) -> Rows:
    scores = first_scores(rows)
    del scores[min(scores)]
    return rows


def doubled_row(rows: Rows) -> Rows:
    return [*rows, next(row for row in rows if "scores" in row)]


@pytest.mark.parametrize(
    ("breach", "found"),
    [
        (wrong_score, "has the score"),
        (lost_score, "are lost"),
        (doubled_row, "were scored twice"),
    ],
    ids=["a wrong score", "a lost score", "a score twice"],
)
def test_a_breach_is_found_after_a_run(
    done: ScoredProject, breach: Callable[[Rows], Rows], found: str
) -> None:
    done.write(breach(done.rows()))
    assert any(found in violation for violation in done.violations())


def test_a_caption_without_a_score_is_found_at_the_end(done: ScoredProject) -> None:
    done.write(lost_score(done.rows()))
    done.checker.durable_scores.clear()
    violations = done.violations(end=True)
    assert any("ends as nothing" in violation for violation in violations), json.dumps(violations)
