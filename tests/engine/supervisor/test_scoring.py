"""Runs with a scorer, in memory: what is asked of it, what its log holds, and when it is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.captioners.model_families import FAMILIES
from engine.project.score_log import read_scores, score_of
from engine.protocol.caption_row import CaptionRow, ScoreRow
from engine.protocol.messages import Records, Rows
from engine.requests.exclude import exclude
from engine.requests.kinds import Exclude
from engine.shearing.shear import Shearing
from engine.state.reconcile import log_path, reconcile
from engine.supervisor.worker_state import WorkerState
from tests.support.fake_scorer import FAMILY, fake_score, scores_of
from tests.support.run_in_memory import RunInMemory, caption, failure

SCORING = 2
"""Id of the scorer's task, and of the scorer."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunInMemory:
    """A project of one shard, with a captioner and a scorer."""
    monkeypatch.setitem(FAMILIES, FAMILY.name, FAMILY)
    return RunInMemory(tmp_path / "project", scorers=["clip"])


def finish_captions(run: RunInMemory, *more: CaptionRow) -> WorkerState:
    """Have the captioner's task done, and return the worker with the scorer's running task."""
    captioner = run.captioning()
    run.rows(captioner, *more, *range(len(more), 4))
    return next_attempt(run)


def next_attempt(run: RunInMemory) -> WorkerState:
    run.turn()
    run.commit()
    return run.captioning()


def asked(run: RunInMemory, worker: WorkerState) -> dict[int, set[str]]:
    """Return the captions of each record that the worker was last sent."""
    return {i: set(texts.values()) for i, texts in run.sent(worker, Records)[-1].texts}


def logged(run: RunInMemory) -> dict[int, dict[str, float]]:
    return read_scores(run.project, run.state.models[SCORING], run.state.shards[0])


def texts(i: int) -> set[str]:
    """Return the captions of a record: the original, and the captioner's raw and sheared."""
    return {f"original {i}", f"A picture of {i}. And more.", f"A picture of {i}"}


def test_a_scorer_gets_the_captions_of_a_shard_once_they_are_all_there(run: RunInMemory) -> None:
    captioner = run.captioning()
    assert captioner.model_id == 1
    run.rows(captioner, 0, 1, 2)
    assert run.state.ledger.next_task(SCORING, run.clock.time()) is None
    run.rows(captioner, 3)
    scorer = run.captioning()
    assert asked(run, scorer) == {i: texts(i) for i in range(4)}
    run.scores(scorer)
    task = run.state.ledger[SCORING]
    assert (task.state, task.captioned, task.failed, task.empty) == ("done", 4, 0, 0)
    assert logged(run) == {i: scores_of(*texts(i)) for i in range(4)}
    assert score_of(logged(run), 1, "original 1") == scores_of("original 1").popitem()[1]
    assert score_of(logged(run), 1, "original 2") is None
    assert not list(run.project.captions.glob("clip-*/*.sheared-*")), "a scorer has no captions"
    assert any("done: 4 scored, 0 failed" in event for event in run.events)


def test_only_a_new_caption_is_scored_again(run: RunInMemory) -> None:
    run.scores(finish_captions(run))
    run.state.ledger.retry(1, run.clock.time(), failed_items=False)
    run.commit()
    captioner = run.captioning()
    run.rows(captioner, 0, 1, CaptionRow(2, "Another one.", 3, "stop"), 3)
    scorer = next_attempt(run)
    assert asked(run, scorer) == {2: {"Another one.", "Another one"}}
    run.scores(scorer)
    assert run.state.ledger[SCORING].state == "done"
    assert logged(run)[2] == scores_of(*texts(2), "Another one.", "Another one")


def test_a_scorer_that_lacks_nothing_is_not_loaded(run: RunInMemory) -> None:
    run.scores(finish_captions(run))
    run.state.ledger.retry(1, run.clock.time(), failed_items=False)
    run.commit()
    captioner = run.captioning()
    run.rows(captioner, *range(4))
    assert run.state.ledger[SCORING].state == "pending"
    run.turn()
    assert run.state.ledger[SCORING].state == "done"
    assert captioner.model_id == 1, "the captioner is still loaded"


def test_captions_that_come_while_a_scorer_works_are_scored_before_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, FAMILY.name, FAMILY)
    run = RunInMemory(tmp_path / "project", scorers=["clip"], devices=["cuda:0", "cuda:1"])
    scorer = finish_captions(run)
    run.state.ledger.retry(1, run.clock.time(), failed_items=False)
    run.commit()
    captioner = run.captioning("cuda:1")
    run.rows(captioner, CaptionRow(0, "Another one.", 3, "stop"), 1, 2, 3)
    run.scores(scorer)
    task = run.state.ledger[SCORING]
    assert (task.state, task.left, task.strikes) == ("pending", 1, 0)
    scorer = next_attempt(run)
    assert asked(run, scorer) == {0: {"Another one.", "Another one"}}
    run.scores(scorer)
    assert run.state.ledger[SCORING].state == "done"


def test_a_retried_scorer_scores_every_caption_again(run: RunInMemory) -> None:
    run.scores(finish_captions(run))
    run.state.ledger.retry(SCORING, run.clock.time(), failed_items=False)
    run.commit()
    scorer = run.captioning()
    assert asked(run, scorer) == {i: texts(i) for i in range(4)}
    run.rows(scorer, ScoreRow(0, dict.fromkeys(scores_of(*texts(0)), 0.5)))
    run.rows(scorer, *range(4))
    task = run.state.ledger[SCORING]
    assert (task.state, task.captioned) == ("done", 4), "the scores from before count"
    assert set(logged(run)[0].values()) == {0.5}


def test_a_failed_image_is_scored_again_only_when_a_person_asks(run: RunInMemory) -> None:
    scorer = finish_captions(run)
    run.rows(scorer, failure(0))
    run.scores(scorer)
    assert run.state.ledger[SCORING].failed == 1
    now = run.clock.time()
    run.state.ledger.retry(1, now, failed_items=False)
    run.commit()
    captioner = run.captioning()
    run.rows(captioner, CaptionRow(0, "Another one.", 3, "stop"), 1, 2, 3)
    run.turn()
    assert run.state.ledger[SCORING].state == "done"
    assert run.state.ledger.retry(SCORING, now, failed_items=True)
    run.commit()
    assert set(asked(run, run.captioning())) == {0}


def test_an_image_that_a_person_gave_up_on_is_not_scored_when_captions_are_new(
    run: RunInMemory,
) -> None:
    scorer = finish_captions(run)
    run.rows(scorer, failure(0))
    run.scores(scorer)
    result = exclude(run.state, Exclude(records=((SCORING, None),)), None)
    task = run.state.ledger[SCORING]
    assert (result.records, task.state, task.captioned, task.failed) == (1, "done", 3, 1)
    assert [group.kind for group in run.state.failures[SCORING]] == ["excluded"]
    run.commit()
    run.state.ledger.retry(1, run.clock.time(), failed_items=False)
    run.commit()
    captioner = run.captioning()
    run.rows(captioner, *(CaptionRow(i, f"Another of {i}.", 3, "stop") for i in range(4)))
    assert set(asked(run, next_attempt(run))) == {1, 2, 3}


def test_captions_that_failed_are_no_texts_and_originals_are_scored_alone(
    run: RunInMemory,
) -> None:
    captioner = run.captioning()
    run.rows(captioner, failure(0), failure(1), 2, CaptionRow(3, "  ", 1, "stop"))
    assert asked(run, run.captioning()) == {
        **{i: {f"original {i}"} for i in (0, 1, 3)},
        2: texts(2),
    }


def test_a_task_left_out_or_failed_holds_no_scorer_up(run: RunInMemory) -> None:
    captioner = run.captioning()
    run.rows(captioner, 0)
    run.supervisor.task_runner.cancel_tasks("paused")
    run.state.ledger.skip(1, run.clock.time(), True)
    scorer = run.captioning()
    assert asked(run, scorer)[0] == texts(0), "what it had captioned counts"
    assert asked(run, scorer)[1] == {"original 1"}
    run.scores(scorer)
    run.state.ledger.skip(1, run.clock.time(), False)
    run.commit()
    captioner = run.captioning()
    run.rows(captioner, 1, 2, 3)
    assert asked(run, next_attempt(run)) == {i: texts(i) - {f"original {i}"} for i in (1, 2, 3)}


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        (ScoreRow(0, {}), "scores of other captions than were sent"),
        (ScoreRow(0, {"0" * 16: 0.5}), "scores of other captions than were sent"),
        (ScoreRow(0, {**scores_of(*texts(0)), "0" * 16: 0.5}), "scores of other captions"),
        (ScoreRow(0, dict.fromkeys(scores_of(*texts(0)), float("nan"))), "not a finite number"),
        (ScoreRow(0, dict.fromkeys(scores_of(*texts(0)), float("inf"))), "not a finite number"),
        (ScoreRow(0, dict.fromkeys(scores_of(*texts(0)))), "not a finite number"),
        (caption(0), "a caption, but the model is a scorer"),
    ],
)
def test_what_a_scorer_must_not_say_is_its_records_failure(
    run: RunInMemory, row: ScoreRow | CaptionRow, detail: str
) -> None:
    scorer = finish_captions(run)
    run.rows(scorer, row)
    run.scores(scorer)
    task = run.state.ledger[SCORING]
    assert (task.state, task.captioned, task.failed) == ("done", 3, 1)
    (group,) = run.state.failures[SCORING]
    assert group.kind == "invalid"
    assert detail in group.examples[0][1]


def test_scores_of_a_captioner_are_not_kept(run: RunInMemory) -> None:
    captioner = run.captioning()
    run.rows(captioner, ScoreRow(0, {}), 1, 2, 3)
    assert (run.task.captioned, run.task.failed) == (3, 1)


def test_an_image_that_ends_workers_is_poison_to_a_scorer_too(run: RunInMemory) -> None:
    run.rows(run.captioning(), *range(4))
    while run.state.ledger[SCORING].state not in ("done", "failed"):
        scorer = run.captioning()
        attempt, message = scorer.attempt, run.sent(scorer, Records)[-1]
        assert attempt is not None
        if message.probe:
            assert message.texts == ()
            run.rows(scorer, ScoreRow(4, {"probe": 0.5}))
        elif 0 in attempt.outstanding:
            run.decoding(scorer, 0)
            run.exit(scorer, -11)
            run.turn(run.policy.device_rest)
        else:
            run.scores(scorer)
    task = run.state.ledger[SCORING]
    assert (task.state, task.captioned, task.failed) == ("done", 3, 1)
    assert [group.kind for group in run.state.failures[SCORING]] == ["poison"]


def test_other_shearing_makes_other_captions(run: RunInMemory) -> None:
    run.scores(finish_captions(run))
    run.state.set_shearing(Shearing(mode="paper", max_words=2))
    run.state.ledger.reopen_scoring(0, run.clock.time())
    scorer = next_attempt(run)
    assert asked(run, scorer) == {i: {"A picture"} for i in range(4)}


def test_a_start_finds_the_scores_that_are_there(run: RunInMemory) -> None:
    scorer = finish_captions(run)
    run.rows(scorer, ScoreRow(0, {**scores_of(*texts(0))}))
    run.exit(scorer, -9)
    run.change_task(SCORING, rows=0, log_bytes=0, captioned=0, left=4)
    reconcile(run.state)
    assert run.state.ledger.next_task(SCORING, run.clock.time()) is None, "it is counted first"
    run.supervisor.task_runner.count_scores()
    task = run.state.ledger[SCORING]
    assert (task.state, task.captioned, task.left, task.rows) == ("pending", 1, 3, 1)


def test_a_log_that_lost_rows_is_not_whole(run: RunInMemory) -> None:
    scorer = finish_captions(run)
    path = log_path(run.state, run.state.ledger[SCORING])
    sent = dict(run.sent(scorer, Records)[-1].texts)
    run.rows(scorer, *(ScoreRow(i, {k: fake_score(k) for k in sent[i]}) for i in range(3)))
    path.write_bytes(b"")
    attempt = scorer.attempt
    assert attempt is not None
    last = ScoreRow(3, {key: fake_score(key) for key in sent[3]})
    run.send(scorer, Rows(task=SCORING, attempt=attempt.number, rows=(last,)))
    task = run.state.ledger[SCORING]
    assert (task.state, task.strikes, task.error_cause) == ("pending", 1, "log_incomplete")


def test_a_shard_that_was_changed_leaves_the_scores_and_fails_the_task(run: RunInMemory) -> None:
    run.scores(finish_captions(run))
    run.project.shard_file(0).write_text("{}\n")
    run.state.ledger.reopen_scoring(0, run.clock.time())
    run.turn()
    run.commit()
    run.turn()
    task = run.state.ledger[SCORING]
    assert (task.state, task.error_cause) == ("failed", "shard_changed")
    assert len(logged(run)) == 4


def test_a_run_ends_when_a_scorer_waits_for_a_model_that_was_stopped(run: RunInMemory) -> None:
    captioner = run.captioning(rows=1)
    run.change_model(1, health_stop="82 of 596 captions loop")
    run.supervisor.task_runner.cancel_tasks("stopped")
    assert captioner.attempt is None
    assert run.state.ledger.waiting_for_captions(SCORING) == 1
    assert run.supervisor.is_finished()
    run.state.ledger.skip(1, run.clock.time(), True)
    assert not run.supervisor.is_finished(), "the scorer goes on with what there is"
