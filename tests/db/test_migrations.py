"""Databases of earlier schemas: what they held is there after the upgrade, with its cause."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest

from db import connection as connect
from db import projects, requests
from db.rows import BlockedCause, PauseCause, TaskErrorCause, UnavailableCause

SERVER = "http://127.0.0.1:8000/v1"

PAUSE_REASONS = {
    None: "user",
    "the disk is full": "disk_full",
    "the project cannot be written: [Errno 13] Permission denied: 'x'": "cannot_write",
    "/images is not there: is the image root mounted?": "root_lost",
    "a.jpg, which was in /images, is gone: is the image root mounted?": "root_lost",
    "reading a.jpg does not end: is the image root mounted?": "root_lost",
    "every device is lost": "devices_lost",
}
ERRORS = {
    None: None,
    "killed by signal 9 (the kernel, out of memory?)": "killed",
    "killed by signal 15": "killed",
    "killed by signal 11": "crashed",
    "killed by signal 6": "crashed",
    "exit code 3": "exited",
    "ValueError: exit code 3": "failed",
    "OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB": "out_of_memory",
    "MemoryError: ": "out_of_memory",
    "no sign of life for 60 s": "hung",
    "no caption for 180 s": "hung",
    "reading images/a.jpg does not end": "stuck_read",
    "it wrote a line that is no message: 'hello'": "protocol_error",
    f"{SERVER}: HTTP 503 busy": "server_unavailable",
    "the model cannot be loaded: killed by signal 11": "model_blocked",
    "shards/00001.jsonl is missing since the input was split": "shard_missing",
    "shards/00001.jsonl was changed since the input was split": "shard_changed",
    "shards/00001.jsonl cannot be read: Permission denied": "shard_unreadable",
    "3 of 10 records have no row in 00001.jsonl": "log_incomplete",
    "00001.jsonl ends in the middle of a row": "log_incomplete",
    "[Errno 13] Permission denied: 'captions/m/00001.jsonl'": "cannot_write",
    "taken back": "withdrawn",
    "something that no version wrote": None,
}
WITHOUT_TEXT = {"machine_lost", "stopped"}
"""Causes of which earlier versions left no text in a task."""
UNAVAILABLE_TEXTS = {
    None: None,
    f"{SERVER} cannot be reached: refused": "unreachable",
    f"{SERVER} does not answer within 300 s": "unreachable",
    f"{SERVER} does not take a connection within 10 s": "unreachable",
    f"{SERVER}: HTTP 429 slow down": "overloaded",
    f"{SERVER}: HTTP 503 no HTTP 404 here": "overloaded",
    f"{SERVER}: out of quota: HTTP 429 insufficient_quota": "overloaded",
    f"{SERVER}: HTTP 504 gateway timeout": "overloaded",
    f"{SERVER}: HTTP 500 boom": "failing",
    f"{SERVER} broke off: RemoteProtocolError": "failing",
    f"{SERVER} answers nonsense: no JSON: 'x'": "failing",
    f"{SERVER}: HTTP 404 no such model; it serves a, b": "model_not_served",
    f"{SERVER} serves a, b: name the model to ask for": "model_not_served",
    f"{SERVER} does not say what it serves: name the model": "model_not_served",
    f"{SERVER}: HTTP 401 no (the key is taken from KEY)": "unauthorized",
    "the key in MLLMAUG_API_KEY holds characters that no key has": "unauthorized",
}
BLOCKED_TEXTS = {
    None: None,
    "killed by signal 11": "died",
    "exit code 3": "died",
    "OutOfMemoryError: CUDA out of memory": "memory",
    "RuntimeError: no kernel image": "error",
    "/models/a lacks config.json": "checkpoint",
}
EXCLUDED = {"records": 3, "shards": 1, "running": 0, "trouble": ""}


def old_database(folder: Path, revision: str, *, paused: bool, reason: str | None) -> Path:
    """Make a database of an earlier schema, whose project is paused or not."""
    path = folder / "project.db"
    connect.migrate(path, revision)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO project (id, uid, created, records, image_root, path_map, allow_outside,"
            " shear_mode, paused, pause_reason) VALUES (1, 'uid', 0, 10, '/images', '[]', 0,"
            " 'paper', ?, ?)",
            (paused, reason),
        )
        connection.execute(
            "INSERT INTO shard (number, first, count, bytes, digest) VALUES (0, 0, 10, 9, 'x')"
        )
    return path


def add_models(path: Path, column: str, texts: list[str | None]) -> None:
    """Insert a model for each text, which stands in a column of that name."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO model (id, position, name, family, settings, settings_hash, load_failures,"
            f" {column}) VALUES (?1, ?1, 'm' || ?1, 'dry-run', '{{}}', 'abc', 0, ?2)",
            list(enumerate(texts, 1)),
        )


def add_tasks(path: Path, errors: list[str | None]) -> None:
    """Insert a failed task of shard 0 for each error, each of a model of its own."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO task (shard, model_id, count, state, priority, attempt, strikes,"
            " not_before, captioned, failed, empty, left, redo, redo_from, rows, log_bytes,"
            " log_mtime_ns, seconds, updated, error) VALUES (0, ?, 10, 'failed', 0, 3, 3, 0, 0, 0,"
            " 0, 10, 'all', 0, 0, 0, 0, 0, 0, ?)",
            list(enumerate(errors, 1)),
        )


@pytest.mark.parametrize(("reason", "cause"), PAUSE_REASONS.items())
def test_the_cause_of_an_old_pause(tmp_path: Path, reason: str | None, cause: str) -> None:
    path = old_database(tmp_path, "0003", paused=True, reason=reason)
    connect.ensure_schema(path)
    with connect.reading(path) as connection:
        project = projects.project(connection)
    assert (project.pause_cause, project.pause_reason) == (cause, reason)


def test_a_project_that_was_not_paused_has_no_cause(tmp_path: Path) -> None:
    path = old_database(tmp_path, "0003", paused=False, reason=None)
    connect.ensure_schema(path)
    with connect.reading(path) as connection:
        assert projects.project(connection).pause_cause is None


def test_the_causes_of_old_task_errors(tmp_path: Path) -> None:
    path = old_database(tmp_path, "0003", paused=False, reason=None)
    add_models(path, "blocked", [None] * len(ERRORS))
    add_tasks(path, list(ERRORS))
    connect.ensure_schema(path)
    with connect.reading(path) as connection:
        assert {task.error: task.error_cause for task in projects.tasks(connection)} == ERRORS


@pytest.mark.parametrize(
    ("column", "texts"), [("unavailable", UNAVAILABLE_TEXTS), ("blocked", BLOCKED_TEXTS)]
)
def test_the_causes_of_old_models(
    tmp_path: Path, column: str, texts: dict[str | None, str | None]
) -> None:
    path = old_database(tmp_path, "0003", paused=False, reason=None)
    add_models(path, column, list(texts))
    connect.ensure_schema(path)
    with connect.reading(path) as connection:
        models = projects.models(connection)
    found = {getattr(model, column): getattr(model, f"{column}_cause") for model in models}
    assert found == texts


def test_old_texts_have_every_cause() -> None:
    for texts, causes, without in (
        (PAUSE_REASONS, PauseCause, set()),
        (ERRORS, TaskErrorCause, WITHOUT_TEXT),
        (UNAVAILABLE_TEXTS, UnavailableCause, set()),
        (BLOCKED_TEXTS, BlockedCause, set()),
    ):
        assert set(texts.values()) - {None} == set(get_args(causes)) - without


def test_the_results_of_old_requests(tmp_path: Path) -> None:
    path = old_database(tmp_path, "0003", paused=False, reason=None)
    old_requests = [
        ("exclude", {"records": []}, "done", json.dumps(EXCLUDED)),
        ("exclude", {"records": [], "exclude": False}, "done", json.dumps(EXCLUDED)),
        ("exclude", {}, "refused", "{no"),
        ("exclude", {"records": []}, "new", None),
        ("pause", {}, "done", "paused"),
        # The first versions answered with a text.
        ("exclude", {"records": []}, "done", "excluded: 3 records of 1 shards"),
        ("exclude", {"records": []}, "done", "7"),
        ("exclude", [], "done", None),
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO request (created, kind, payload, state, note) VALUES (0, ?, ?, ?, ?)",
            [(kind, json.dumps(load), state, note) for kind, load, state, note in old_requests],
        )
    connect.ensure_schema(path)
    with connect.reading(path) as reading:
        rows = [requests.get(reading, number) for number in range(1, 9)]
    assert [(row.note, row.result) for row in rows] == [
        ("excluded: 3 records of 1 shards", EXCLUDED),
        ("taken back in: 3 records of 1 shards", EXCLUDED),
        ("{no", None),
        (None, None),
        ("paused", None),
        ("excluded: 3 records of 1 shards", None),
        ("7", None),
        (None, None),
    ]


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_every_earlier_schema_is_upgraded_after_a_backup(tmp_path: Path, revision: str) -> None:
    path = old_database(tmp_path, revision, paused=True, reason="every device is lost")
    connect.ensure_schema(path)
    assert connect.schema_of(path) == connect.SCHEMA
    assert connect.schema_of(path.with_name(f"project.db.schema-{revision}")) == revision
    with connect.reading(path) as connection:
        assert projects.project(connection).pause_cause == "devices_lost"
