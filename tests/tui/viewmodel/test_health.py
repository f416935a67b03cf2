"""What screens and commands say of the health of captions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.quality.alarms import Figures, HealthRecord
from tests.support import canned_projects
from tui.cli.output import status_lines
from tui.keys.app import run_key_action
from tui.session.session import Session
from tui.viewmodel.health import all_stopped, finished_line, is_sick
from tui.viewmodel.snapshot import Snapshot
from tui.viewmodel.snapshot_reader import read_snapshot

SICK = HealthRecord(Figures(596, {"loops": 82, "truncated": 590})).text


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return read_snapshot(canned_projects.copy_canned_project(tmp_path / "p", "busy"))


def with_model(snapshot: Snapshot, **values: object) -> Snapshot:
    """Return the snapshot with other fields of the first model's row."""
    first, *others = snapshot.models
    row = replace(first.row, **values)  # type: ignore[arg-type]
    return replace(snapshot, models=(replace(first, row=row), *others))


def test_a_project_is_well_until_something_is_known(snapshot: Snapshot) -> None:
    assert not is_sick(snapshot)
    assert not is_sick(with_model(snapshot, health="nonsense"))
    assert not is_sick(with_model(snapshot, health=HealthRecord(Figures(596)).text))


def test_finished_says_what_is_bad(snapshot: Snapshot) -> None:
    sick = with_model(snapshot, health=SICK)
    assert is_sick(sick)
    assert finished_line(sick) is None
    done = replace(sick, tasks=dict.fromkeys(sick.tasks, 0))
    name = sick.models[0].row.name
    assert finished_line(done) == f"FINISHED, 82 of 596 captions of {name} loop"
    assert finished_line(replace(snapshot, tasks=done.tasks)) is None


def test_limits_that_a_person_set_hold_here_too(snapshot: Snapshot) -> None:
    settings = snapshot.models[0].row.settings | {"limits": "loops=off"}
    assert not is_sick(with_model(snapshot, health=SICK, settings=settings))


def test_status_says_that_a_model_was_stopped(snapshot: Snapshot) -> None:
    sick = with_model(snapshot, health=SICK, health_stop="82 of 596 captions loop")
    lines = "\n".join(status_lines(sick))
    assert "82 of 596 captions loop: look at dtype" in lines
    assert "was stopped, since 82 of 596 captions loop" in lines


def test_all_that_is_left_is_stopped(snapshot: Snapshot) -> None:
    assert not all_stopped(snapshot)
    stopped = replace(
        snapshot,
        models=tuple(
            replace(each, row=replace(each.row, health_stop="sick")) for each in snapshot.models
        ),
    )
    assert all_stopped(stopped)
    assert not all_stopped(replace(stopped, models=()))


def test_the_key_p_lets_stopped_models_go_on(snapshot: Snapshot) -> None:
    stopped = replace(
        snapshot,
        supervisor=None,
        project=replace(snapshot.project, paused=False),
        models=tuple(
            replace(each, row=replace(each.row, health_stop="sick")) for each in snapshot.models
        ),
    )
    assert stopped.state == "idle"
    session = Session(snapshot=stopped)
    assert run_key_action(session) == "resume"
    assert run_key_action(replace(session, snapshot=replace(stopped, models=()))) == "start"
