"""Requests of people, from their making to their answer."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, text

from db import requests


def test_a_request_waits_until_it_is_answered(connection: Connection) -> None:
    first = requests.add(connection, "pause")
    second = requests.add(connection, "retry", {"tasks": [1, 2], "failed_items": True})
    waiting = requests.pending(connection)
    assert [(row.id, row.kind, row.payload) for row in waiting] == [
        (first, "pause", {}),
        (second, "retry", {"tasks": [1, 2], "failed_items": True}),
    ]
    assert {(row.state, row.note, row.result) for row in waiting} == {("new", None, None)}
    requests.answer(connection, first, "done", "paused")
    assert [row.id for row in requests.pending(connection)] == [second]
    answered = requests.get(connection, first)
    assert (answered.state, answered.note, answered.result) == ("done", "paused", None)


def test_a_result_comes_back_as_values(connection: Connection) -> None:
    request_id = requests.add(connection, "exclude")
    result = {"records": 3, "trouble": "", "nested": [1, None, "name \udcff"]}
    requests.answer(connection, request_id, "done", "excluded: 3 records", result)
    assert requests.get(connection, request_id).result == result


def test_only_the_first_answer_counts(connection: Connection) -> None:
    request_id = requests.add(connection, "skip")
    requests.answer(connection, request_id, "refused", "no file \udcff")
    requests.answer(connection, request_id, "done", "skipped", {"tasks": 1})
    row = requests.get(connection, request_id)
    assert (row.state, row.note, row.result) == ("refused", "no file \\udcff", None)


@pytest.mark.parametrize("column", ["kind", "payload", "note", "result"])
@pytest.mark.parametrize("value", ["x", b"\xff\xfe", "[" * 100_000, 7])
def test_nonsense_in_any_column_is_read(connection: Connection, column: str, value: Any) -> None:
    number = requests.add(connection, "pause")
    statement = text(f"UPDATE request SET {column} = CAST(:value AS TEXT)")
    connection.execute(statement, {"value": value})
    (row,) = requests.pending(connection)
    assert row == requests.get(connection, number)
    assert row.payload in ({}, None, 7)
