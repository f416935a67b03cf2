"""The Shards table, a page at a time: filtered, sorted and counted by SQLite."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Integer, Select, func, not_, or_, select

from db.rows import STATE_WORDS, TASK_STATES, TaskRow
from db.tables import MODEL, TASK
from db.values import columns

SortKey = Literal[
    "shard", "model", "state", "captioned", "failed", "priority", "attempt", "updated", "error"
]
SORT_KEYS: tuple[SortKey, ...] = (
    "shard",
    "model",
    "state",
    "captioned",
    "failed",
    "priority",
    "attempt",
    "updated",
    "error",
)
NUMBERS = {
    "tries": TASK.c.attempt,
    "fail": TASK.c.failed,
    "ok": TASK.c.captioned,
    "left": TASK.c.left,
    "shard": TASK.c.shard,
    "priority": TASK.c.priority,
}
TERM = re.compile(r"(?P<no>!?)(?:(?P<key>[a-z]+)(?P<op>[:<>=]))?(?P<value>\S+)")


class FilterError(ValueError):
    """A filter that cannot be understood; the message names the term."""


@dataclass(frozen=True, slots=True)
class ShardPage:
    """`rows` from `offset` on, of `matching` tasks in all."""

    rows: tuple[TaskRow, ...]
    offset: int
    matching: int


def shard_page(
    connection: Connection,
    filter: str = "",
    sort: SortKey = "shard",
    descending: bool = False,
    offset: int = 0,
    limit: int = 200,
) -> ShardPage:
    """Raises `FilterError`."""
    wanted = conditions(filter)
    matching = connection.execute(joined(select(func.count())).where(*wanted)).scalar_one()
    column: Any = MODEL.c.position if sort == "model" else TASK.c[sort]
    rows = connection.execute(
        joined(select(*columns(TASK, TaskRow)))
        .where(*wanted)
        .order_by(column.desc() if descending else column, TASK.c.shard, MODEL.c.position)
        .offset(offset)
        .limit(limit)
    )
    return ShardPage(tuple(TaskRow(**row._asdict()) for row in rows), offset, matching)


def matching_tasks(connection: Connection, filter: str = "") -> tuple[int, ...]:
    """The ids of all tasks that a filter shows."""
    rows = connection.execute(joined(select(TASK.c.id)).where(*conditions(filter)))
    return tuple(rows.scalars())


@dataclass(frozen=True, slots=True)
class Coverage:
    """Tasks of one model in a run of neighbouring shards."""

    place: int
    model_id: int
    tasks: int
    done: int
    running: int
    failed: int
    skipped: int
    captioned: int
    total: int
    lost: int
    """Records that failed."""

    @property
    def share(self) -> float:
        return (self.captioned + self.lost) / self.total


def coverage(connection: Connection, together: int = 1) -> tuple[Coverage, ...]:
    """How far each model is with every `together` shards."""
    place = TASK.c.shard // together
    named = ("done", "running", "failed", "skipped")
    states = (func.sum((TASK.c.state == state).cast(Integer)) for state in named)
    sums = (func.sum(column) for column in (TASK.c.captioned, TASK.c.count, TASK.c.failed))
    rows = connection.execute(
        select(place, TASK.c.model_id, func.count(), *states, *sums)
        .group_by(place, TASK.c.model_id)
        .order_by(place)
    )
    return tuple(Coverage(*row) for row in rows)


def joined(query: Select[Any]) -> Select[Any]:
    return query.select_from(TASK).join(MODEL, MODEL.c.id == TASK.c.model_id)


def conditions(filter: str) -> list[ColumnElement[bool]]:
    """`word`, `key:value`, `key>number`; `!` before a term negates it. All must hold.

    Keys: status, model, gpu, error, shard, tries, fail, ok, left, priority.
    """
    return [condition(term) for term in filter.split()]


def condition(term: str) -> ColumnElement[bool]:
    match = TERM.fullmatch(term)
    if match is None:
        raise FilterError(f"cannot read {term!r}")
    negated, key, op, value = match["no"], match["key"], match["op"], match["value"]
    meaning = word(value) if key is None else keyed(key, op, value)
    return not_(meaning) if negated else meaning


AS_SHOWN = {shown.lower(): state for state, shown in STATE_WORDS.items()}


def word(value: str) -> ColumnElement[bool]:
    """A shard's number (zeros in front or not), or text in a model's name or an error."""
    texts = [like(MODEL.c.name, value), like(func.coalesce(TASK.c.error, ""), value)]
    state = AS_SHOWN.get(value.lower(), value)
    if state in TASK_STATES:
        texts.append(TASK.c.state == state)
    if value.isdecimal():
        texts.append(TASK.c.shard == int(value))
    return or_(*texts)


def keyed(key: str, op: str, value: str) -> ColumnElement[bool]:
    if key in NUMBERS:
        return compared(NUMBERS[key], key, op, value)
    if op not in ":=":
        raise FilterError(f"{key} is text: use {key}:{value}")
    match key:
        case "status" | "state":
            begun = AS_SHOWN.get(value.lower(), value.lower())
            states = [state for state in TASK_STATES if state.startswith(begun)]
            if not states:
                raise FilterError(f"no state {value!r}: one of {', '.join(TASK_STATES)}")
            return TASK.c.state.in_(states)
        case "model":
            return like(MODEL.c.name, value)
        case "gpu" | "device":
            return like(func.coalesce(TASK.c.device, ""), value)
        case "error":
            return like(func.coalesce(TASK.c.error, ""), value)
    known = "status, model, gpu, error, " + ", ".join(NUMBERS)
    raise FilterError(f"no key {key!r}: one of {known}")


def compared(column: Any, key: str, op: str, value: str) -> ColumnElement[bool]:
    if not value.isdecimal():
        raise FilterError(f"{key} wants a number, not {value!r}")
    compare = {">": operator.gt, "<": operator.lt}.get(op, operator.eq)
    meaning: ColumnElement[bool] = compare(column, int(value))
    return meaning


def like(column: Any, value: str) -> ColumnElement[bool]:
    meaning: ColumnElement[bool] = column.icontains(value, autoescape=True)
    return meaning
