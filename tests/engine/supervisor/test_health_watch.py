"""The health of what comes in is watched: sick models are told of once, and stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from db import progress
from db.connection import reading
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row
from engine.quality.alarms import Figures, HealthRecord
from engine.requests.handlers import carry_out
from engine.requests.kinds import Resume
from engine.state.health_stops import all_stopped_by_health
from engine.state.policy import Policy
from engine.supervisor.health_watch import HealthWatch
from engine.supervisor.worker_state import WorkerState
from tests.support.run_in_memory import RunInMemory
from tests.support.small_project import SmallProject

LOOP = "standing standing standing standing sleeping standing"
RECORDS = 1_000


def good(i: int) -> CaptionRow:
    return CaptionRow(i, f"A dog with {i} spots runs along the beach.", 9, "length")


def loop(i: int) -> CaptionRow:
    return CaptionRow(i, LOOP, 9, "stop")


class Feed:
    """A run, and the captions that its worker sends in order."""

    def __init__(self, folder: Path, models: tuple[str, ...] = ("sick",), **policy: bool) -> None:
        self.run = RunInMemory(
            folder, records=RECORDS, models=models, shards=1, policy=Policy(**policy)
        )
        self.run.supervisor.health_watch.policy = self.run.policy

    def worker(self) -> WorkerState:
        return self.run.captioning()

    def send(self, rows: Iterator[Row], number: int, seconds: float = 0.0) -> None:
        """Send so many rows, and let the loop turn until they were looked at."""
        worker = self.worker()
        self.run.rows(worker, *(next(rows) for _ in range(number)))
        for _ in range(number // self.run.policy.health_a_turn + 2):
            self.run.turn()
        self.run.turn(seconds)

    @property
    def alarms(self) -> list[str]:
        return [event.text for event in self.run.state.events if event.level == "warn"]

    @property
    def record(self) -> HealthRecord:
        return HealthRecord.of(self.run.model.health)


def mixed(share: float, start: int = 0) -> Iterator[Row]:
    """Yield captions of which this share loops, spread evenly."""
    return (loop(i) if int((i + 1) * share) > int(i * share) else good(i) for i in count(start))


@pytest.mark.parametrize(
    ("distinct", "said"),
    [
        (180, []),
        (170, ["30 of 200 captions repeat an earlier one: look at whether the image reaches"]),
        (90, ["stopped, since 110 of 200 captions repeat an earlier one"]),
    ],
)
def test_a_model_that_says_the_same_of_many_images(
    tmp_path: Path, distinct: int, said: list[str]
) -> None:
    feed = Feed(tmp_path / "run")
    same = (CaptionRow(i, good(i % distinct).raw, 9, "length") for i in count())
    feed.send(same, 200)
    assert [text[: len(start)] for text, start in zip(feed.alarms, said, strict=True)] == said


@pytest.mark.parametrize(
    ("share", "beginning", "stopped"),
    [
        (0.02, None, False),
        (0.1, "20 of 200 captions loop: look at dtype", False),
        (0.5, "stopped, since 100 of 200 captions loop", True),
    ],
)
def test_the_first_captions(
    tmp_path: Path, share: float, beginning: str | None, stopped: bool
) -> None:
    feed = Feed(tmp_path / "run")
    feed.send(mixed(share), 200)
    if beginning is None:
        assert feed.alarms == []
    else:
        (alarm,) = feed.alarms
        assert alarm.startswith(beginning)
        assert alarm.count("'standing standing") == 3
    told = [(notice.kind, notice.model, notice.cause) for notice in feed.run.state.notices]
    level = "stopped" if stopped else "warned"
    assert told == ([] if beginning is None else [("health_alarm", "sick", level)])
    assert not any("standing" in notice.text for notice in feed.run.state.notices)
    assert bool(feed.run.model.health_stop) == stopped
    assert feed.run.task.state == ("pending" if stopped else "running")
    assert feed.record.figures.captions == 200


def test_a_model_that_begins_to_loop_is_seen_within_a_minute(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    feed.send(mixed(0.0), 200)
    feed.send(mixed(0.5, 200), 100, seconds=30.0)
    assert feed.alarms == []
    feed.run.turn(31.0)
    (alarm,) = feed.alarms
    assert alarm.startswith("stopped, since 50 of 100 captions loop")


def test_each_alarm_comes_once_over_runs(tmp_path: Path) -> None:
    """The next run knows what was told, and only a higher limit is news."""
    feed = Feed(tmp_path / "run")
    rows = mixed(0.1)
    feed.send(rows, 200)
    told = len(feed.alarms)
    feed.run.supervisor.health_watch.watches.clear()  # as in a new process
    feed.send(rows, 200, seconds=61.0)
    feed.send(rows, 200, seconds=61.0)
    assert len(feed.alarms) == told == 1
    feed.send((loop(i) for i in count(600)), 100, seconds=61.0)
    assert feed.alarms[-1].startswith("stopped, since")
    assert len(feed.alarms) == 2
    assert feed.record.figures.counts["loops"] == 160


def test_the_run_goes_on_with_other_models(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run", models=("sick", "well"))
    feed.send(mixed(1.0), 200)
    worker = feed.worker()
    assert worker.attempt is not None and worker.attempt.model.name == "well"
    assert not all_stopped_by_health(feed.run.state)
    assert not feed.run.supervisor.is_finished()


def test_a_run_of_which_only_stopped_models_are_left_ends(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    feed.send(mixed(1.0), 200)
    assert feed.run.supervisor.is_finished()
    feed.run.supervisor.tell_end()
    assert "models that were stopped for the health of their captions" in feed.alarms[-1]
    assert "mllmaug-tui resume" in feed.alarms[-1]


def test_resume_lets_it_go_on_and_it_is_not_stopped_for_the_same(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    rows = mixed(1.0)
    feed.send(rows, 200)
    answer = carry_out(feed.run.state, Resume(), feed.run.supervisor)
    assert answer.text == "it is not paused; tries sick again"
    assert feed.run.model.health_stop is None
    assert feed.record.states == {"loops": "let"}
    feed.send(rows, 200, seconds=61.0)
    assert feed.run.model.health_stop is None
    sorry = (CaptionRow(i, "I'm sorry, I cannot see it.", 9, "stop") for i in count(400))
    feed.send(sorry, 200, seconds=61.0)
    assert feed.run.model.health_stop is not None, "this is another defect"


def test_no_health_stop(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run", health_stop=False)
    feed.send(mixed(1.0), 400)
    (alarm,) = feed.alarms
    assert alarm.startswith("200 of 200 captions loop")
    assert feed.run.task.state == "running"


def test_limits_of_the_model_and_of_its_pilot(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    pilot = HealthRecord(pilot=Figures(64, {"loops": 6}))
    feed.run.change_model(health=pilot.text)
    feed.send(mixed(0.1), 200)
    assert feed.alarms == []
    other = Feed(tmp_path / "other")
    other.run.change_model(settings={"limits": "loops=off"})
    other.send(mixed(1.0), 200)
    assert other.alarms == []


def test_answers_without_a_caption_count_and_other_failures_do_not(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    feed.send((ErrorRow(i, "missing", "gone") for i in count()), 200)
    assert feed.record.figures.captions == 0
    feed.send((ErrorRow(i, "no_caption", "the answer is empty") for i in count(200)), 200)
    (alarm,) = feed.alarms
    assert alarm.startswith("stopped, since 200 of 200 answers hold no caption: look at template")


def test_answers_without_a_caption_are_not_among_the_captions_of_another_alarm(
    tmp_path: Path,
) -> None:
    feed = Feed(tmp_path / "run")
    empty = (ErrorRow(i, "no_caption", "the answer is empty") for i in count())
    both = enumerate(zip(mixed(0.1), empty, strict=False))
    rows = (caption if i % 4 else answer for i, (caption, answer) in both)
    feed.send(rows, 200)
    said = [alarm.partition(":")[0] for alarm in feed.alarms]
    assert sorted(said) == ["20 of 150 captions loop", "50 of 200 answers hold no caption"]


def test_what_is_looked_at_is_bounded(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    watch = feed.run.supervisor.health_watch
    watch.policy = replace(feed.run.policy, health_most=250, health_a_turn=10)
    feed.run.rows(feed.worker(), *(good(i) for i in range(500)))
    (model_watch,) = watch.watches.values()
    assert len(model_watch.waiting) == 250
    watch.turn()
    assert model_watch.figures.captions == 10


def test_a_short_run_is_judged_at_its_end(tmp_path: Path) -> None:
    """It is told, and not stopped: nothing is left to stop."""
    feed = Feed(tmp_path / "run")
    feed.send(mixed(0.5), 40)
    assert feed.alarms == []
    feed.run.supervisor.health_watch.finish()
    (alarm,) = feed.alarms
    assert alarm.startswith("20 of 40 captions loop")
    feed.run.supervisor.health_watch.finish()
    assert len(feed.alarms) == 1
    assert feed.record.figures.captions == 40


@pytest.mark.parametrize("saved", [True, False])
def test_a_killed_supervisor_has_told_what_it_saved(small: SmallProject, saved: bool) -> None:
    """Event and state are one commit: a run after a kill tells what was not saved, and no more."""

    def run_and_die(number: int) -> None:
        state = small.load()
        stopped: list[int] = []
        watch = HealthWatch(state, Policy(), lambda model_id, reason: stopped.append(model_id))
        watch.on_rows(state.models[1], 0, [loop(i % 4) for i in range(200)])
        watch.turn()
        assert stopped == ([] if saved and number else [1])
        if saved or number:
            state.commit()

    run_and_die(0)
    run_and_die(1)
    run_and_die(2) if saved else None
    with reading(small.project.database) as connection:
        events = [event.text for _, event in progress.events_after(connection, 0, 100)]
    assert len([text for text in events if text.startswith("stopped, since")]) == 1
    assert small.load().models[1].health_stop == "200 of 200 captions loop"
