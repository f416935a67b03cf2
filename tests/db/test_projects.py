"""The project's row, its models, shards and tasks, as they are written and read back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from db import projects
from tests.db.conftest import MODELS, PROJECT, SHARDS, model_row


def test_everything_comes_back_as_it_went_in(connection: Connection) -> None:
    assert projects.project(connection) == PROJECT
    assert projects.shards(connection) == SHARDS
    first, second = MODELS
    assert projects.models(connection) == (second, first), "in project order"
    tasks = projects.tasks(connection)
    assert [(task.shard, task.model_id) for task in tasks] == [
        (0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)
    ]  # fmt: skip
    assert {task.state for task in tasks} == {"pending"}
    assert [task.left for task in tasks] == [task.count for task in tasks] == [10] * 4 + [5] * 2


def test_one_shard(connection: Connection) -> None:
    assert projects.shard(connection, 2) == SHARDS[2]
    assert projects.shard(connection, 3) is None


def test_a_pause_has_a_cause_until_it_ends(connection: Connection) -> None:
    projects.set_paused(connection, True, "the disk is full", "disk_full")
    paused = replace(PROJECT, paused=True, pause_reason="the disk is full", pause_cause="disk_full")
    assert projects.project(connection) == paused
    projects.set_paused(connection, False, None)
    assert projects.project(connection) == PROJECT


def test_settings_change_one_by_one(connection: Connection) -> None:
    projects.set_shearing(connection, "sentence", 12)
    projects.forget_witness(connection)
    assert projects.project(connection) == replace(
        PROJECT, shear_mode="sentence", shear_max_words=12, witness=None
    )


def test_a_new_model_gets_a_task_for_every_shard(connection: Connection) -> None:
    third = model_row(3, "third")
    projects.add_model(connection, third, SHARDS)
    assert projects.models(connection)[-1] == third
    tasks = [task for task in projects.tasks(connection) if task.model_id == 3]
    assert [(task.shard, task.state, task.left) for task in tasks] == [
        (shard.number, "pending", shard.count) for shard in SHARDS
    ]


def test_a_saved_model_replaces_the_one_of_its_id(connection: Connection) -> None:
    first, second = MODELS
    changed = replace(
        first,
        settings={"prompt": "Ω \udcff"},
        blocked="exit code 3",
        blocked_cause="died",
        load_failures=3,
        unavailable="http://x: HTTP 503",
        unavailable_cause="overloaded",
        not_before=9.0,
    )
    projects.save_model(connection, changed)
    assert projects.models(connection) == (second, changed)


def test_two_models_of_one_name_are_refused(connection: Connection) -> None:
    with pytest.raises(IntegrityError):
        projects.add_model(connection, model_row(3, "first"), SHARDS)


def test_the_folder_of_a_model_has_its_name_and_its_settings() -> None:
    assert model_row(1, "first").folder == "first-hash-first"
