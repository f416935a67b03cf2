"""What every kind of request does: one row for each line of behaviour, with a run and without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import update

from db.connection import writing
from db.tables import PROJECT
from engine.requests.handlers import carry_out
from engine.requests.kinds import AddModel, Configure, Skip
from tests.engine.requests.row import DONE, FAILED, SKIPPED, Row
from tests.engine.requests.rows_of_others import (
    DEVICES,
    FLAGS,
    MODELS,
    NEW,
    SKIP_AND_PRIORITY,
)
from tests.engine.requests.rows_of_runs import PAUSE_AND_RESUME, RETRY
from tests.support.small_project import FakeSupervisor, SmallProject, caption, facts

ROWS = PAUSE_AND_RESUME | RETRY | SKIP_AND_PRIORITY | FLAGS | DEVICES | MODELS


CASES = [
    pytest.param(row, live, id=f"{name}-{'live' if live else 'offline'}")
    for name, row in ROWS.items()
    for live in (True, False)
    if row.live in (None, live)
]


@pytest.mark.parametrize(("row", "live"), CASES)
def test_a_request(small: SmallProject, row: Row, live: bool) -> None:
    prepare(small, row)
    supervisor = FakeSupervisor(small.state) if live else None
    expected = merge(everything(small, supervisor), row.changed)
    answer = carry_out(small.state, row.request, supervisor)
    assert (answer.text, answer.state, answer.result) == (row.answer, row.state, None)
    assert everything(small, supervisor) == expected
    assert tuple(event.text for event in small.state.events) == row.events
    if supervisor is not None:
        assert supervisor.told == row.told
    small.state.commit()
    assert facts(small.load()) == small.facts(), "the database has something else"


def prepare(small: SmallProject, row: Row) -> None:
    """Make the state before the request."""
    (small.project.folder / "images" / "there.png").touch()
    small.change_tasks(row.tasks)
    small.change_models(row.models)
    if row.paused:
        small.state.pause(*row.paused)
    if row.flags:
        small.state.flag(row.flags, ())
    if row.ratings:
        small.state.rate(row.ratings, ())
    small.save()
    with writing(small.project.database) as connection:
        connection.execute(update(PROJECT).values(witness=row.witness))
    small.state = small.load()


def everything(small: SmallProject, supervisor: FakeSupervisor | None) -> dict[str, Any]:
    """Return all that a request may change, devices included."""
    devices = {} if supervisor is None else supervisor.fake_devices.devices
    named = {
        device.id: {
            "state": device.state,
            "rest_until": device.rest_until,
            "pinned_model_id": device.pinned_model_id,
        }
        for device in devices.values()
    }
    return small.facts() | {"devices": named}


def merge(before: dict[str, Any], changed: Mapping[Any, Any]) -> dict[str, Any]:
    """Return `before` with the changed values, also those in dictionaries within it."""
    merged = dict(before)
    for key, value in changed.items():
        inner = merged.get(key)
        merged[key] = merge(inner, value) if isinstance(inner, dict) else value
    return merged


def test_settings_that_shape_captions_begin_the_tasks_anew(small: SmallProject) -> None:
    small.state.remember_batch("cuda:0", 2, 64)
    small.change_tasks({4: DONE | {"priority": 3}, 5: SKIPPED, 6: FAILED, 1: DONE})
    small.save()
    before = small.facts()
    old_folder = small.state.models[2].folder
    answer = carry_out(small.state, Configure(model="served", changes={"seed": "7"}), None)
    assert answer.text == (
        "served: set seed=7; 3 tasks to do again;"
        f" what was captioned so far stays in captions/{old_folder}"
    )
    after = small.facts()
    assert after["models"][2]["settings"]["seed"] == 7
    assert after["models"][2]["settings_hash"] != before["models"][2]["settings_hash"]
    anew = [after["tasks"][n] for n in (4, 5, 6)]
    assert [task["state"] for task in anew] == ["pending", "skipped", "pending"]
    assert all((t["left"], t["captioned"], t["strikes"]) == (4, 0, 0) for t in anew)
    assert anew[0]["priority"] == 3
    assert [after["tasks"][n] for n in (1, 2, 3)] == [before["tasks"][n] for n in (1, 2, 3)]
    assert after["batch_sizes"] == {("cuda:0", 2): 64}


def test_captions_of_the_same_settings_count_again(small: SmallProject) -> None:
    for i, number in enumerate((4, 5)):
        small.write_log(number, [caption(k) for k in range(4 - 2 * i)])
    small.write_log(6, [])  # no caption in it
    small.take_over_logs()
    assert small.state.ledger[4].state == "done"
    carry_out(small.state, Configure(model="served", changes={"seed": "7"}), None)
    assert small.state.ledger[4].captioned == 0
    answer = carry_out(small.state, Configure(model="served", changes={"seed": "0"}), None)
    assert "3 tasks to do again, 2 of them with captions of the same settings" in answer.text
    states = [(t.state, t.captioned, t.left) for t in map(small.state.ledger.__getitem__, (4, 5))]
    assert states == [("done", 4, 0), ("pending", 2, 2)]


def test_a_batch_set_by_hand_replaces_what_was_found(small: SmallProject) -> None:
    small.state.remember_batch("cuda:0", 1, 64)
    small.state.remember_batch("cuda:0", 2, 64)
    carry_out(small.state, Configure(model="dry-run", changes={"batch": "auto"}), None)
    small.save()
    assert small.state.batch_sizes == {("cuda:0", 2): 64}


def test_a_model_is_added_with_a_task_for_every_shard(small: SmallProject) -> None:
    answer = carry_out(small.state, AddModel(choice=NEW), None)
    assert (answer.text, answer.state) == ("second: added, with 3 tasks", "done")
    small.save()
    model = small.state.models[3]
    assert (model.position, model.settings_hash) == (3, NEW.settings_hash)
    added = [t for t in small.state.ledger.tasks.values() if t.model_id == 3]
    assert [(t.shard, t.state, t.left) for t in added] == [(n, "pending", 4) for n in range(3)]


def test_requests_do_not_read_the_wall_clock(small: SmallProject) -> None:
    small.clock.now = 5_000.0
    carry_out(small.state, Skip(tasks=[1]), None)
    assert small.state.ledger[1].updated == small.clock.time()
    assert small.state.events[-1].created == small.clock.time()
