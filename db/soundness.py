"""Whether a database holds what this program would have written: tables, types, ranges, references.

SQLite takes any type in any column, and a received database may have triggers, views or constraints
of its own. What is not sound here is damage, as a page that cannot be read is. All of it is looked
at within SQLite, each table in one pass.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import sqlite3
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from db import rows
from db.connection import (
    SCHEMA,
    DatabaseBusy,
    DatabaseDamaged,
    open_existing,
    read_version,
    refuse_unsafe_files,
    to_database_error,
)

SCHEMA_DIGESTS = {
    "0001": "daf61635ad789f00",
    "0002": "90b873eb61dbd8be",
    "0003": "b3cad18834f710bf",
    "0004": "c6fa2edd25abc2b7",
    "0005": "842686d58f73c6d6",
    "0006": "db8d80f2178285dd",
    "0007": "f35cf0f1d34920b0",
    "0008": "4e282533dc00ad73",
    "0009": "17e041e24f4f1f78",
}
"""The `schema_digest` of each version's tables; a new migration adds its own."""
FOREIGN_OBJECTS = (
    "SELECT type || ' ' || quote(name) FROM sqlite_master"
    " WHERE type NOT IN ('table', 'index') OR rootpage IS NULL OR rootpage = 0 LIMIT 1"
)
"""Triggers and views, and virtual tables, which have no page of their own."""
SCHEMA_TEXTS = (
    "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master"
    " WHERE NOT (type = 'table' AND name GLOB 'sqlite_stat[1-4]') ORDER BY type, name"
)
"""All tables and indexes but those in which SQLite's ANALYZE keeps statistics."""

VERSION = re.compile(r"[0-9]{4}")
"""The name of a migration."""
MAX_INTEGER = 2**62
"""Bound of integers of no other bound: what is added to one is still an integer to SQLite."""
MAX_COUNT = 10**12
"""Bound of what is summed up, so that no sum overflows."""
MAX_SHARD_RECORDS = 10**8
"""Bound of the records of one shard, of each of which memory holds some bytes during a run."""
MAX_TIME = 253_402_300_799
"""Bound of times, in seconds since the epoch: the end of the year 9999, the last of `datetime`."""
MAX_TEXT = 2**24
"""Bound of a text, in bytes."""
TEXTS_OF_RECORDS = {("sample", "image"), ("sample", "original")}
"""Columns (table, column) of texts that come from a record of the input as they are."""
MAX_RECORD_TEXT = 2**29
"""Bound of these, in bytes. A record may have 2**26 characters (`engine.datasets`), and each of
them six bytes (`db.values.storable_text`)."""
RANGES: dict[str, tuple[int, int]] = {
    "records": (1, MAX_COUNT),
    "count": (1, MAX_SHARD_RECORDS),
    "captioned": (0, MAX_SHARD_RECORDS),
    "failed": (0, MAX_SHARD_RECORDS),
    "empty": (0, MAX_SHARD_RECORDS),
    "left": (0, MAX_SHARD_RECORDS),
    "asked": (0, MAX_SHARD_RECORDS),
    "images": (0, MAX_COUNT),
    "captions": (0, MAX_COUNT),
    "tokens": (0, MAX_COUNT),
    "number": (0, 2**31),
    "first": (0, MAX_COUNT),
    "shear_max_words": (1, 2**31),
    "strikes": (0, 1000),
    "minute": (0, MAX_TIME // 60),
    "pid": (0, 2**31 - 1),
    "batch": (0, 2**31),
    "size": (1, 2**31),
    "priority": (-MAX_INTEGER, MAX_INTEGER),
    "log_mtime_ns": (-(2**63), 2**63 - 1),
}
"""The lowest and the highest value of columns of integers; of others 0 and `MAX_INTEGER`."""
JSON_CHECKS = {
    ("model", "settings"): "json_type({0}) = 'object'",
    ("project", "path_map"): "json_type({0}) = 'array' AND NOT EXISTS (SELECT 1 FROM"
    " json_each({0}) AS pair WHERE pair.type <> 'array' OR json_array_length(pair.value) <> 2 OR"
    " json_type(pair.value, '$[0]') <> 'text' OR json_type(pair.value, '$[1]') <> 'text')",
    ("failure", "examples"): "json_type({0}) = 'array' AND NOT EXISTS (SELECT 1 FROM"
    " json_each({0}) AS pair WHERE pair.type <> 'array' OR json_array_length(pair.value) <> 2 OR"
    " json_type(pair.value, '$[0]') <> 'integer' OR json_type(pair.value, '$[1]') <> 'text')",
}
"""For each column (table, column) of JSON the condition that its value is of the right form."""
UNCHECKED = {("request", column) for column in ("kind", "payload", "note", "result")}
"""Columns that anybody may fill with anything (`db.requests`)."""
TABLES: dict[str, type[Any]] = {
    "project": rows.ProjectRow,
    "model": rows.ModelRow,
    "shard": rows.ShardRow,
    "task": rows.TaskRow,
    "attempt": rows.AttemptRow,
    "device": rows.DeviceRow,
    "worker": rows.WorkerRow,
    "supervisor": rows.SupervisorRow,
    "failure": rows.FailureRow,
    "throughput": rows.ThroughputRow,
    "sample": rows.SampleRow,
    "request": rows.RequestRow,
    "event": rows.EventRow,
    "rating": rows.RatingRow,
    "export": rows.ExportRow,
    "notice": rows.NoticeRow,
    "delivery": rows.DeliveryRow,
}
"""The row that each table holds."""
OTHER_COLUMNS: dict[str, dict[str, Any]] = {
    "device": {"present": bool},
    "request": {"handled": float | None},
    "batch_size": {"device": str, "model_id": int, "size": int},
    "flag": {"shard": int, "i": int},
}
"""Columns that no row of `db.rows` has, with their types."""
TEXTS_OF_OLD = {("attempt", "outcome")}
"""Columns (table, column) of texts that earlier versions chose freely, and that are only shown."""
RULES = {
    "the project has one row": "SELECT count(*) = 1 FROM project",
    "the image root is a path": "SELECT instr(image_root, char(0)) = 0 FROM project",
    "the project has a model": "SELECT count(*) > 0 FROM model",
    "shards are numbered from 0, without a gap": "SELECT count(*) > 0 AND min(number) = 0 AND"
    " max(number) = count(*) - 1 FROM shard",
    "each shard begins where the one before it ends": "SELECT NOT EXISTS (SELECT 1 FROM (SELECT"
    " first, sum(count) OVER (ORDER BY number) - count AS place FROM shard) WHERE first <> place)",
    "the project has the records of its shards": "SELECT (SELECT records FROM project) ="
    " (SELECT sum(count) FROM shard)",
    "each shard and model have a task": "SELECT (SELECT count(*) FROM task) ="
    " (SELECT count(*) FROM shard) * (SELECT count(*) FROM model)",
    "a task has the records of its shard": "SELECT NOT EXISTS (SELECT 1 FROM task JOIN shard ON"
    " shard.number = task.shard WHERE task.count <> shard.count)",
    "workers have models of the project": "SELECT NOT EXISTS (SELECT 1 FROM worker WHERE model_id"
    " NOT IN (SELECT id FROM model))",
    "workers have tasks of the project": "SELECT NOT EXISTS (SELECT 1 FROM worker WHERE task_id"
    " NOT IN (SELECT id FROM task))",
    "throughput is of models of the project": "SELECT NOT EXISTS (SELECT 1 FROM throughput WHERE"
    " model_id NOT IN (SELECT id FROM model))",
    "samples are of models of the project": "SELECT NOT EXISTS (SELECT 1 FROM sample WHERE"
    " model_id NOT IN (SELECT id FROM model))",
    "flags are of records of the project": "SELECT NOT EXISTS (SELECT 1 FROM flag JOIN shard ON"
    " shard.number = flag.shard WHERE flag.i >= shard.count)",
    "ratings are of records of the project": "SELECT NOT EXISTS (SELECT 1 FROM rating JOIN shard"
    " ON shard.number = rating.shard WHERE rating.i >= shard.count)",
    "ratings are of models of the project": "SELECT NOT EXISTS (SELECT 1 FROM rating WHERE model_id"
    " <> 0 AND model_id NOT IN (SELECT id FROM model))",
}
"""What must hold between rows, each with the query that answers 1 if it does."""


def find_damage(path: Path) -> str | None:
    """Return what is wrong with a database, to stand behind its path; None if it is sound.

    It must exist. One of a newer version is left to `db.connection.ensure_schema`, and one that is
    being written is not looked at. Raises `DatabaseError`.
    """
    refuse_unsafe_files(path)
    try:
        with open_existing(path, busy_seconds=0.0) as connection:
            return find_damage_in(connection)
    except sqlite3.Error as error:
        translated = to_database_error(path, error)
        if isinstance(translated, DatabaseBusy):
            return None
        if translated is None or isinstance(translated, DatabaseDamaged):
            return "is damaged"
        raise translated from error


def find_damage_in(connection: sqlite3.Connection) -> str | None:
    """Return the same of an open database. Raises `sqlite3.Error`."""
    # First what would act on the queries after it: views, triggers, constraints.
    foreign = connection.execute(FOREIGN_OBJECTS).fetchone()
    if foreign is not None:
        return f"is damaged: it has the {foreign[0]}"
    version = read_version(connection)
    if version is None:
        return "is empty"
    if not VERSION.fullmatch(version):
        return "is damaged: it is of no version"
    if version > SCHEMA:
        return None
    # A migration that is being written has no digest yet.
    known = SCHEMA_DIGESTS.get(version, "" if version != SCHEMA else schema_digest(connection))
    if schema_digest(connection) != known:
        return f"is damaged: its tables are not those of schema {version}"
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        return "is damaged"
    foreign = find_nonsense(connection)
    return None if foreign is None else f"is damaged: {foreign}"


def schema_digest(connection: sqlite3.Connection) -> str:
    """Return a digest of all tables and indexes, whatever the blanks and the order of clauses."""
    texts = [
        (*entry[:3], sorted(" ".join(part.split()) for part in re.split(r'[,"\n]', entry[3])))
        for entry in connection.execute(SCHEMA_TEXTS)
    ]
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:16]


def find_nonsense(connection: sqlite3.Connection) -> str | None:
    """Return what in the tables this program would not have written; None if all is sound.

    Tables and columns that an older version lacks are passed over. Raises `sqlite3.Error`.
    """
    absent: list[str] = []
    for table, hints in columns_by_table():
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        checks = {
            column: condition(table, column, hint)
            for column, hint in hints.items()
            if column in present and (table, column) not in UNCHECKED
        }
        sound = " AND ".join(checks.values())
        if not checks:
            absent.append(table)
            continue
        query = f'SELECT 1 FROM "{table}" WHERE ({sound}) IS NOT TRUE LIMIT 1'  # noqa: S608 (ours)
        if connection.execute(query).fetchone() is not None:
            return f"table {table} holds {name_column(connection, table, checks)}"
        texts = [column for column in checks if is_text(table, column, hints[column])]
        if texts and not holds_utf8(connection, table, texts):
            return f"table {table} holds text that is not UTF-8"
    if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        return "a row names another one that is missing"
    for rule, query in RULES.items():
        if any(table in query.split() for table in absent):
            continue
        if connection.execute(query).fetchone() != (1,):
            return f"this rule is broken: {rule}"
    return None


def columns_by_table() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each table with the type of each of its columns."""
    for table, row in TABLES.items():
        hints = get_type_hints(row)
        yield table, {field.name: hints[field.name] for field in dataclasses.fields(row)}
    yield from OTHER_COLUMNS.items()


def is_text(table: str, column: str, hint: Any) -> bool:
    """Return True if a column of this type holds free text."""
    if (table, column) in TEXTS_OF_OLD:
        return True
    return hint in (str, str | None) or hint is Any or get_origin(hint) in (tuple, dict)


def condition(table: str, column: str, hint: Any) -> str:
    """Return the SQL condition that a value is one that a column of this type may hold.

    It is 1, and 0 or NULL for other values: `IS NOT TRUE` finds them.
    """
    name = f'"{table}"."{column}"'
    if type(None) in get_args(hint) and get_origin(hint) in (types.UnionType, Union):
        inner = next(each for each in get_args(hint) if each is not type(None))
        return f"({name} IS NULL OR {condition(table, column, inner)})"
    if get_origin(hint) is Literal and (table, column) not in TEXTS_OF_OLD:
        return f"{name} IN ({', '.join(repr(value) for value in get_args(hint))})"
    if hint is bool:
        return f"{name} IN (0, 1)"
    if hint is int:
        # Text and blobs are above all numbers to SQLite; `| 0` cuts off what is behind the point.
        low, high = RANGES.get(column, (0, MAX_INTEGER))
        return f"({name} BETWEEN {low} AND {high} AND {name} | 0 = {name})"
    if hint is float:
        return f"{name} BETWEEN 0 AND {MAX_TIME}"
    longest = MAX_RECORD_TEXT if (table, column) in TEXTS_OF_RECORDS else MAX_TEXT
    checks = [f"typeof({name}) = 'text'", f"length(CAST({name} AS BLOB)) <= {longest}"]
    if (table, column) in JSON_CHECKS:
        # CASE, since the functions of JSON are errors for a text that is none.
        form = JSON_CHECKS[table, column].format(name)
        checks.append(f"CASE WHEN json_valid({name}) THEN {form} ELSE 0 END")
    return f"({' AND '.join(checks)})"


def name_column(connection: sqlite3.Connection, table: str, checks: dict[str, str]) -> str:
    """Return which column holds the first value that does not pass its check, for a message."""
    for column, check in checks.items():
        where = f'FROM "{table}" WHERE ({check}) IS NOT TRUE LIMIT 1'
        row = connection.execute(f'SELECT typeof("{column}") {where}').fetchone()
        if row is not None:
            return f"an invalid value ({row[0]}) in {column}"
    return "an invalid row"


def holds_utf8(connection: sqlite3.Connection, table: str, columns: list[str]) -> bool:
    """Return True if all texts of these columns can be decoded: SQLite itself never looks."""
    # All values in one text, since a query that gave each row to Python would take longer.
    joined = ", ".join(f'group_concat("{column}")' for column in columns)
    listed = ", ".join(f'"{column}"' for column in columns)
    try:
        try:
            connection.execute(f'SELECT {joined} FROM "{table}"').fetchone()  # noqa: S608 (ours)
        except sqlite3.DataError:  # too long for one text
            for _ in connection.execute(f'SELECT {listed} FROM "{table}"'):  # noqa: S608 (ours)
                pass
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) is not None:
            raise
        return False  # the error is Python's own, which cannot decode a text
    return True
