"""Which captions of one shard meet each condition of a search.

Imports little: the processes of a pool start with it.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from engine.operations.search.column import Column, Mask
from engine.operations.search.query import (
    AGREEMENT,
    BY_PERSON,
    DUPLICATE,
    FAILED,
    WORDS,
    Compared,
    Condition,
    HasDefect,
    HasMark,
    HasRecordText,
    HasText,
    IsOfModels,
    SearchQuery,
)
from engine.operations.search.record_texts import records_with_texts
from engine.project.damage import Damage, DamagedFiles
from engine.project.shard_comparison import ComparisonJob, compare_shard
from engine.project.task_health import HealthJob
from engine.quality.comparison import Numbers, unpack
from engine.quality.defect_names import DEFECT_NAMES
from engine.quality.model_health import find_same
from engine.quality.shard_health import Hashes

COMPARISONS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


class SearchJob(NamedTuple):
    """One shard in which is searched."""

    query: SearchQuery
    names: Sequence[str]
    """The names of the models whose captions are searched, in the order of `health.logs`."""
    health: HealthJob
    comparison: ComparisonJob | None
    """All models of the project; None if their captions need not be compared."""
    by_person: Mapping[str, Mapping[str, Collection[int]]]
    """The indices of the records with each mark of `BY_PERSON`, by the model's name."""


class ColumnFacts(NamedTuple):
    """What a search found of the captions of one model in a shard."""

    present: Mask
    """True where there is a caption, or a failure if failures are searched. Where every condition
    that a caption is found by says so already, all are True."""
    meets: dict[Condition, Mask]
    """Which captions meet each condition, but `DUPLICATE`."""
    hashes: Hashes | None
    """By which duplicates are found, if they are searched."""


class ShardFacts(NamedTuple):
    """What a search found in one shard, by the name of the model, unless a log is damaged."""

    shard: int
    columns: dict[str, ColumnFacts]
    damage: list[Damage]


def search_shard(job: SearchJob) -> ShardFacts:
    """Return which captions meet each condition. Raises `OSError`."""
    columns = {
        name: Column(job.health, log) for name, log in zip(job.names, job.health.logs, strict=True)
    }
    damage: list[Damage] = []
    for name in job.names:
        try:
            columns[name].data  # noqa: B018 (it is read here)
        except DamagedFiles as error:
            damage += error.damage
            del columns[name]
    of_records: Mapping[HasRecordText, Mask] = {}
    try:
        of_records = records_with_texts(job.health, job.query.of_records)
    except DamagedFiles as error:
        damage += error.damage
        columns.clear()
    numbers = Comparisons(job)
    facts = {name: column_facts(job, name, columns, numbers, of_records) for name in columns}
    return ShardFacts(job.health.shard.number, facts, damage)


class Comparisons:
    """The agreement and the scores of the captions of a shard, compared when first asked for."""

    def __init__(self, job: SearchJob) -> None:
        comparison = None if job.comparison is None else compare_shard(job.comparison)
        self.comparison = comparison
        self.count = job.health.shard.count

    def of(self, what: str, name: str) -> Numbers:
        """Return the support or the scores of a model's captions, NaN where there is none."""
        if self.comparison is None:
            return np.full(self.count, np.nan, np.float32)
        by_name = self.comparison.support
        if what != AGREEMENT:
            by_name = self.comparison.sheared_scores.get(what, {})
        known = unpack(by_name.get(name, b""))
        return known if len(known) == self.count else np.full(self.count, np.nan, np.float32)


def column_facts(
    job: SearchJob,
    name: str,
    columns: Mapping[str, Column],
    numbers: Comparisons,
    of_records: Mapping[HasRecordText, Mask],
) -> ColumnFacts:
    """Return what is to be known of one model's captions."""
    column, query = columns[name], job.query
    present = np.ones(column.count, bool)
    if query.of_failures:
        present = column.mask_of(column.failures)
    elif query.needs_presence:
        present = column.has_caption
    meets: dict[Condition, Mask] = {}
    hashes = None
    for condition in query.conditions:
        match condition:
            case HasText(text):
                meets[condition] = column.with_text(text, query.of_failures)
            case HasRecordText():
                meets[condition] = of_records[condition]
            case HasDefect(defect):
                meets[condition] = column.with_defect(int(DEFECT_NAMES[defect]))
            case HasMark(mark) if mark == DUPLICATE:
                hashes = column.hashes()
            case HasMark(mark):
                meets[condition] = with_mark(mark, job, name, columns)
            case IsOfModels(names):
                meets[condition] = np.full(column.count, name in names)
            case Compared(what, sign, number):
                values = column.words() if what == WORDS else numbers.of(what, name)
                meets[condition] = COMPARISONS[sign](values, number)
    return ColumnFacts(present, meets, hashes)


def with_mark(mark: str, job: SearchJob, name: str, columns: Mapping[str, Column]) -> Mask:
    """Return which captions of a model have a mark."""
    column = columns[name]
    if mark == FAILED:
        return column.mask_of(column.failures)
    if mark in BY_PERSON:
        return column.mask_of(job.by_person.get(mark, {}).get(name, ()))
    others = [other.hashes() for other in columns.values() if other is not column]
    return find_same(column.hashes(), others)
