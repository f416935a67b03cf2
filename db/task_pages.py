"""Queries for the tables of tasks: the Shards screen a page at a time, and the coverage map.

SQLite filters, sorts and counts, so that millions of tasks cost a screen no memory.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Integer, Select, func, not_, or_, select

from db.filter_terms import FilterError as FilterError
from db.filter_terms import Term, parse_terms
from db.rows import TASK_STATES, TaskRow
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
"""The keys of a filter that compare numbers, with their columns."""
STATE_ALIASES = {
    "wait": "pending",
    "run": "running",
    "done": "done",
    "fail": "failed",
    "skip": "skipped",
}
"""Other names of the task states in a filter: the labels on screen, in lower case.

A person types what a screen shows. The names stand here and not in `tui.viewmodel.state_labels`,
where the labels are, because commands filter without the application; a test compares the two."""
MAX_DIGITS = 18
"""Digits of the longest number in a filter: SQLite's integers hold as many, whatever they are."""
KEY = re.compile(r"[a-z]+")
"""The form of a key; what else stands before a colon belongs to a word, such as `00:12`."""
COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
"""The operators of a filter; `:` and `=` ask for the same number."""


@dataclass(frozen=True, slots=True)
class ShardPage:
    """Some of the tasks that match a filter, in order."""

    rows: tuple[TaskRow, ...]
    offset: int
    """How many matching tasks come before `rows`."""
    matching: int
    """Number of all matching tasks."""


def shard_page(
    connection: Connection,
    filter: str = "",
    sort: SortKey = "shard",
    descending: bool = False,
    offset: int = 0,
    limit: int = 200,
) -> ShardPage:
    """Return up to `limit` of the matching tasks, from the `offset`-th on. Raises `FilterError`.

    Tasks that are equal by `sort` are ordered by shard and model.
    """
    where = conditions(filter)
    matching = connection.execute(with_model(select(func.count())).where(*where)).scalar_one()
    column: Any = MODEL.c.position if sort == "model" else TASK.c[sort]
    rows = connection.execute(
        with_model(select(*columns(TASK, TaskRow)))
        .where(*where)
        .order_by(column.desc() if descending else column, TASK.c.shard, MODEL.c.position)
        .offset(offset)
        .limit(limit)
    )
    return ShardPage(tuple(TaskRow(**row._asdict()) for row in rows), offset, matching)


def matching_tasks(connection: Connection, filter: str = "") -> tuple[int, ...]:
    """Return the ids of all tasks that match a filter. Raises `FilterError`."""
    rows = connection.execute(with_model(select(TASK.c.id)).where(*conditions(filter)))
    return tuple(rows.scalars())


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageCell:
    """The tasks of one model in a group of neighbouring shards."""

    group: int
    """Number of the group, from 0."""
    model_id: int
    tasks: int
    """Number of tasks."""
    done: int
    running: int
    failed: int
    skipped: int
    """Tasks in these states."""
    captioned: int
    """Records that have a caption."""
    total: int
    """Number of records."""
    failed_records: int

    @property
    def share(self) -> float:
        """The share of the records that are captioned or failed, from 0 to 1."""
        return (self.captioned + self.failed_records) / self.total


def coverage(connection: Connection, shards_per_group: int = 1) -> tuple[CoverageCell, ...]:
    """Return how far each model is with every group of `shards_per_group` shards."""
    group = (TASK.c.shard // shards_per_group).label("group")
    counted = ("done", "running", "failed", "skipped")
    rows = connection.execute(
        select(
            group,
            TASK.c.model_id,
            func.count().label("tasks"),
            *(func.sum((TASK.c.state == state).cast(Integer)).label(state) for state in counted),
            func.sum(TASK.c.captioned).label("captioned"),
            func.sum(TASK.c.count).label("total"),
            func.sum(TASK.c.failed).label("failed_records"),
        )
        .group_by(group, TASK.c.model_id)
        .order_by(group)
    )
    return tuple(CoverageCell(**row._asdict()) for row in rows)


def with_model(query: Select[Any]) -> Select[Any]:
    """Return the query over tasks, each joined with its model."""
    return query.select_from(TASK).join(MODEL, MODEL.c.id == TASK.c.model_id)


def conditions(filter: str) -> list[ColumnElement[bool]]:
    """Return the conditions of a filter, all of which must hold. Raises `FilterError`.

    Its terms are `word`, `key:value` and `key>number` (`db.filter_terms`). The keys are status,
    model, gpu, error, shard, tries, fail, ok, left, priority.
    """
    return [condition(term) for term in parse_terms(filter)]


def condition(term: Term) -> ColumnElement[bool]:
    """Return the condition of one term."""
    if term.key is not None and KEY.fullmatch(term.key):
        result = key_condition(term.key, term.operator, term.value)
    else:
        result = word_condition(term.text if term.key else term.value)
    return not_(result) if term.negated else result


def word_condition(value: str) -> ColumnElement[bool]:
    """Return the condition of a term without a key.

    It matches a state, a shard's number (with leading zeros or without), and text in a model's name
    or in an error.
    """
    alternatives = [contains(MODEL.c.name, value), contains(func.coalesce(TASK.c.error, ""), value)]
    state = STATE_ALIASES.get(value.lower(), value)
    if state in TASK_STATES:
        alternatives.append(TASK.c.state == state)
    if value.isdecimal():
        alternatives.append(TASK.c.shard == to_integer(value))
    return or_(*alternatives)


def key_condition(key: str, op: str, value: str) -> ColumnElement[bool]:
    """Return the condition of a term with a key."""
    if key in NUMBERS:
        return comparison(NUMBERS[key], key, op, value)
    if op not in ":=":
        raise FilterError(f"{key} is text: use {key}:{value}")
    match key:
        case "status" | "state":
            beginning = STATE_ALIASES.get(value.lower(), value.lower())
            states = [state for state in TASK_STATES if state.startswith(beginning)]
            if not states:
                raise FilterError(f"there is no state {value!r}: one of {', '.join(TASK_STATES)}")
            return TASK.c.state.in_(states)
        case "model":
            return contains(MODEL.c.name, value)
        case "gpu" | "device":
            return contains(func.coalesce(TASK.c.device, ""), value)
        case "error":
            return contains(func.coalesce(TASK.c.error, ""), value)
    known = "status, model, gpu, error, " + ", ".join(NUMBERS)
    raise FilterError(f"no key {key!r}: one of {known}")


def comparison(column: Any, key: str, op: str, value: str) -> ColumnElement[bool]:
    """Return the condition that a column is above, below or equal to a number."""
    if not value.isdecimal():
        raise FilterError(f"{key} wants a number, not {value!r}")
    compare = COMPARISONS.get(op, operator.eq)
    result: ColumnElement[bool] = compare(column, to_integer(value))
    return result


def to_integer(digits: str) -> int:
    """Return the number, or the largest of `MAX_DIGITS` digits if it is larger."""
    return int(digits) if len(digits) <= MAX_DIGITS else 10**MAX_DIGITS - 1


def contains(column: Any, value: str) -> ColumnElement[bool]:
    """Return the condition that a column contains a text, in upper or lower case."""
    result: ColumnElement[bool] = column.icontains(value, autoescape=True)
    return result
