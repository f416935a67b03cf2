"""The models, tasks and records that the arguments of a command name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from db import projects
from db.connection import reading
from engine.captioners.model_families import FAMILIES
from engine.project.selectors import (
    named_tasks,
    parse_record_key,
    parse_record_keys,
    select_captioners,
    select_models,
    select_tasks,
    skipped_tasks,
)
from engine.utils.errors import BadInput
from tests.support.fake_scorer import FAMILY
from tests.support.small_project import SmallProject, caption, error

COUNTS = {0: 4, 1: 4, 2: 3}
"""Records by shard."""


@pytest.fixture
def worked(small: SmallProject) -> SmallProject:
    """The small project; task 2 failed, task 4 is skipped, task 5 has a failed record."""
    small.change_tasks({2: {"state": "failed"}, 4: {"state": "skipped"}})
    small.write_log(5, [caption(0), error(1)])
    small.save()
    small.take_over_logs()
    return small


@pytest.mark.parametrize(
    ("shards", "names", "failed_items", "tasks"),
    [
        ([], [], False, [2]),
        ([], [], True, [5]),
        ([1], [], False, [2, 5]),
        ([], ["served"], False, [4, 5, 6]),
        ([0, 2], ["dry-run"], False, [1, 3]),
        ([1, 0], ["served", "dry-run"], False, [1, 2, 4, 5]),
        ([1], [], True, [5]),
        ([0], [], True, []),
    ],
)
def test_the_tasks_of_shards_and_models(
    worked: SmallProject,
    shards: Sequence[int],
    names: Sequence[str],
    failed_items: bool,
    tasks: list[int],
) -> None:
    assert sorted(select_tasks(worked.project, shards, names, failed_items)) == tasks


def test_what_does_not_exist_is_named(small: SmallProject) -> None:
    with pytest.raises(BadInput, match="there is no shard 3: they are 0 to 2"):
        select_tasks(small.project, [3], [])
    with pytest.raises(BadInput, match=r"no model 'otter': it has dry-run, served"):
        select_tasks(small.project, [], ["otter"])


def test_a_command_that_changes_tasks_must_name_some(worked: SmallProject) -> None:
    assert named_tasks(worked.project, [2], ["served"]) == [6]
    with pytest.raises(BadInput, match="name shards or models"):
        named_tasks(worked.project, [], [])


def test_skipped_tasks(worked: SmallProject) -> None:
    assert skipped_tasks(worked.project) == [4]


def test_models_come_in_the_order_of_the_project(small: SmallProject) -> None:
    with reading(small.project.database) as connection:
        models = projects.models(connection)
    assert [model.name for model in select_models(models, ["served", "dry-run"])] == [
        "dry-run",
        "served",
    ]
    assert select_models(models, []) == list(models)


@pytest.mark.parametrize(
    ("text", "key"), [("0:0", (0, 0)), ("1/3", (1, 3)), ("2:2", (2, 2)), ("002:00", (2, 0))]
)
def test_a_record_key(text: str, key: tuple[int, int]) -> None:
    assert parse_record_key(text, COUNTS) == key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "write SHARD:PLACE"),
        ("7", "write SHARD:PLACE"),
        ("1:2:3", "write SHARD:PLACE"),
        ("-1:0", "write SHARD:PLACE"),
        ("1:٣", "write SHARD:PLACE"),
        ("3:0", "there is no record 3:0: shards are 0 to 2"),
        ("2:3", "there is no record 2:3: shard 2 has 0 to 2"),
    ],
)
def test_no_record_key(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse_record_key(text, COUNTS)


def test_record_keys_are_checked_against_the_project(small: SmallProject) -> None:
    assert parse_record_keys(small.project, ["2/3", "0:1"]) == [(2, 3), (0, 1)]
    with pytest.raises(BadInput, match="shard 2 has 0 to 3"):
        parse_record_keys(small.project, ["2:4"])


def test_the_models_that_write_captions(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = list(small.state.models.values())
    monkeypatch.setitem(FAMILIES, FAMILY.name, FAMILY)
    scorer = replace(models[0], name="clip", family=FAMILY.name)
    assert select_captioners([*models, scorer], ()) == models
    assert select_captioners([*models, scorer], ["served"]) == [models[1]]
    with pytest.raises(BadInput, match="clip is a scorer and writes no captions"):
        select_captioners([*models, scorer], ["served", "clip"])
    with pytest.raises(BadInput, match="no model 'x': it has dry-run, served"):
        select_captioners([*models, scorer], ["x"])
