"""The checker is checked for logs of scores: each breach that is planted here is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from engine.project import shard_comparison
from engine.quality.caption_digest import caption_digest
from tests.sim import simulation
from tests.sim.naming import caption_of
from tests.sim.project import SCORED, template
from tests.sim.simulation import Simulation
from tests.sim.test_invariants import Done
from tests.support.fake_scorer import fake_score

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


def score_of_another_caption(rows: Rows) -> Rows:
    digest = caption_digest("a caption of another picture")
    first_scores(rows)[digest] = fake_score(digest)
    return rows


@pytest.mark.parametrize(
    ("breach", "found"),
    [
        (wrong_score, "has the score"),
        (lost_score, "are lost"),
        (score_of_another_caption, "of what no record said"),
        (doubled_row, "were scored twice"),
    ],
    ids=["a wrong score", "a lost score", "of another caption", "a score twice"],
)
def test_a_breach_is_found_after_a_run(
    done: ScoredProject, breach: Callable[[Rows], Rows], found: str
) -> None:
    done.write(breach(done.rows()))
    assert any(found in violation for violation in done.violations())


def replace_a_caption(done: ScoredProject) -> None:
    """Have a captioner say something else of a good image, as after a retry."""
    model = next(name for name in done.checker.captioners if name != "s")
    image, name = done.checker.images[0][0], (model, 0)
    done.checker.truth.wordings[name] += 1
    raw = caption_of(model, image, wording=1)
    log = min(done.project.captions.glob(f"{model}-*/00000.jsonl"))
    row = {"i": 0, "raw": raw, "tokens": 3, "finish": "stop"}
    log.write_text(log.read_text() + json.dumps(row) + "\n")
    done.checker.truth.redone.add(name)


def test_a_caption_that_was_replaced_is_found_without_a_score(done: ScoredProject) -> None:
    replace_a_caption(done)
    lacking = [text for text in done.violations() if "is done and lacks scores" in text]
    assert len(lacking) == 1


def test_a_score_is_found_that_is_shown_of_a_caption_that_is_gone(
    done: ScoredProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_a_caption(done)

    def any_score(scores: dict[int, dict[str, float]], i: int, text: str) -> float | None:
        return next(iter(scores.get(i, {}).values()), None)

    monkeypatch.setattr(shard_comparison, "score_of", any_score)
    shown = [text for text in done.violations(end=True) if "other scores than theirs" in text]
    assert shown


def test_a_caption_without_a_score_is_found_at_the_end(done: ScoredProject) -> None:
    done.write(lost_score(done.rows()))
    done.checker.durable_scores.clear()
    violations = done.violations(end=True)
    assert any("ends as nothing" in violation for violation in violations), json.dumps(violations)
