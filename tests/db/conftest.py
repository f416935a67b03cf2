"""A small project's database, made once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from db import connection as connect
from db import projects
from db.rows import ModelRow, ProjectRow, ShardRow, TaskRow

PROJECT = ProjectRow(
    uid="uid",
    created=5.0,
    records=25,
    image_root="/images",
    path_map=(("/old", "/new"),),
    witness="a.jpg",
)
SHARDS = (
    ShardRow(number=0, first=0, count=10, bytes=100, digest="x"),
    ShardRow(number=1, first=10, count=10, bytes=100, digest="y"),
    ShardRow(number=2, first=20, count=5, bytes=50, digest="z"),
)


def model_row(number: int, name: str, position: int | None = None) -> ModelRow:
    """Return a model with settings; its position is its id unless one is given."""
    return ModelRow(
        id=number,
        position=number if position is None else position,
        name=name,
        family="dry-run",
        checkpoint=None,
        settings={"prompt": "What?", "batch": 4},
        settings_hash=f"hash-{name}",
    )


MODELS = (model_row(1, "first", position=2), model_row(2, "second", position=1))
"""The models, whose order in the project is not that of their ids."""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the database that the tests copy."""
    path = tmp_path_factory.mktemp("database") / "project.db"
    connect.migrate(path)
    with connect.writing(path) as connection:
        projects.create(connection, PROJECT, MODELS, SHARDS)
    return path


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Path:
    """Return the path of a database of 3 shards and 2 models; all its tasks are pending."""
    return Path(shutil.copy(template, tmp_path))


@pytest.fixture
def connection(database: Path) -> Iterator[Connection]:
    """Open one transaction on `database`, for reading and writing."""
    with connect.writing(database) as connection:
        yield connection


def task_of(connection: Connection, shard: int, model_id: int) -> TaskRow:
    """Return the task of a shard and a model."""
    (task,) = (
        task
        for task in projects.tasks(connection)
        if (task.shard, task.model_id) == (shard, model_id)
    )
    return task
