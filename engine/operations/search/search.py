"""Searching all captions of a project, shard by shard on all cores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection

from db import projects
from db.connection import reading
from db.rows import TaskRow
from engine.captioners.model_families import is_scorer
from engine.operations.quality import comparison_job
from engine.operations.records import read_flags
from engine.operations.search.column import Mask
from engine.operations.search.matches import ShardMatches
from engine.operations.search.query import (
    BAD,
    BY_PERSON,
    DUPLICATE,
    FLAGGED,
    GOOD,
    HasMark,
    SearchQuery,
    SearchTerm,
    parse_query,
)
from engine.operations.search.seen_texts import SeenTexts
from engine.operations.search.shard_search import (
    ColumnFacts,
    SearchJob,
    ShardFacts,
    search_shard,
)
from engine.process.pool import map_on_all_cores
from engine.project.damage import Damage
from engine.project.layout import Project
from engine.project.selectors import select_captioners
from engine.project.task_health import HealthJob, health_log, sampled_shards
from engine.shearing.shear import Shearing
from engine.utils.errors import BadInput

PersonMarks = dict[str, dict[str, set[int]]]
"""The indices of the records of a shard with each mark of `BY_PERSON`, by the model's name."""


class SearchPlan(NamedTuple):
    """What is searched, and in which shards."""

    query: SearchQuery
    names: Sequence[str]
    """The names of the models of the project that write captions, in its order."""
    jobs: Sequence[SearchJob]


class SearchStep(NamedTuple):
    """One more shard was searched."""

    done: int
    """The number of shards that were searched."""
    total: int
    """The number of all shards to search."""
    matches: ShardMatches
    damage: Sequence[Damage]
    """The logs of the shard that are damaged: their captions are left out."""


def plan_search(
    project: Project,
    text: str,
    names: Sequence[str] = (),
    language: str = "en",
    readonly: bool = False,
) -> SearchPlan:
    """Return the jobs of a search for what a person typed, in the captions of these models or all.

    `language` is the code of the language that was asked for. With `readonly` nothing of the
    project is written. Raises `BadInput`.
    """
    with reading(project.database) as connection:
        settings = projects.project(connection)
        everything = projects.models(connection)
        shards = projects.shards(connection)
        tasks = {(task.shard, task.model_id): task for task in projects.tasks(connection)}
        models = select_captioners(everything, names)
        query = parse_query(
            text,
            [model.name for model in models],
            [model.name for model in everything if is_scorer(model.family)],
        )
        captioners = [model for model in everything if not is_scorer(model.family)]
        if query.needs_agreement and len(captioners) < 2:
            raise BadInput(
                "agree and disagree compare the captions of several models: the project has one"
            )
        marked = marked_by_person(connection, query, [model.name for model in models])
    searched = [model for model in models if query.models is None or model.name in query.models]
    shearing, sampled = Shearing.of(settings), sampled_shards(shards)
    jobs = []
    for shard in shards:
        of_shard = [tasks[shard.number, model.id] for model in searched]
        by_person = marked.get(shard.number, {})
        if not may_match(query, of_shard, by_person):
            continue
        in_sample = shard.number in sampled
        comparison = None
        if query.needs_comparison:
            comparison = comparison_job(
                project, everything, shard, shearing, in_sample, not readonly
            )
        health = HealthJob(
            shard=shard,
            shard_file=project.shard_file(shard.number),
            logs=[health_log(project, *each) for each in zip(searched, of_shard, strict=True)],
            shearing=shearing,
            language=language,
            sampled=in_sample,
            save=not readonly,
        )
        searched_names = [model.name for model in searched]
        jobs.append(SearchJob(query, searched_names, health, comparison, by_person))
    return SearchPlan(query, [model.name for model in models], jobs)


def marked_by_person(
    connection: Connection, query: SearchQuery, names: Sequence[str]
) -> dict[int, PersonMarks]:
    """Return what a person said of captions, by shard, if that is searched.

    A flag of a record counts for the caption of each model.
    """
    marked: dict[int, PersonMarks] = {}
    if not any(HasMark(mark) in query.conditions for mark in BY_PERSON):
        return marked
    known = read_flags(connection)

    def mark(shard: int, i: int, mark: str, name: str) -> None:
        marked.setdefault(shard, {}).setdefault(mark, {}).setdefault(name, set()).add(i)

    for key in known.records:
        for name in names:
            mark(*key, FLAGGED, name)
    for key, ratings in known.ratings.items():
        for name, rating in ratings.items():
            mark(*key, GOOD if rating.good else BAD, name)
            if not rating.good:
                mark(*key, FLAGGED, name)
    return marked


def may_match(query: SearchQuery, tasks: Sequence[TaskRow], by_person: PersonMarks) -> bool:
    """Return False if it is known without looking that no caption of these tasks is found."""
    if HasMark(DUPLICATE) in query.conditions:  # of captions in later shards
        return True
    wanted = {term.condition for term in query.terms if not term.negated}
    if any(HasMark(mark) in wanted and mark not in by_person for mark in BY_PERSON):
        return False
    failed = (task.failed or task.state != "done" for task in tasks)
    return not query.of_failures or any(failed)


def search_captions(plan: SearchPlan, min_jobs: int | None = None) -> Iterator[SearchStep]:
    """Yield what is found in each shard, in order. Raises `OSError`."""
    seen = {name: SeenTexts() for name in plan.names}
    with closing(map_on_all_cores(search_shard, plan.jobs, min_jobs)) as results:
        for done, facts in enumerate(results, start=1):
            mark_duplicates(facts, seen)
            yield SearchStep(done, len(plan.jobs), matches_of(plan, facts), facts.damage)


def mark_duplicates(facts: ShardFacts, seen: Mapping[str, SeenTexts]) -> None:
    """Tell which captions are the same as an earlier one of their model, if that is searched."""
    for name, column in facts.columns.items():
        if column.hashes is not None:
            column.meets[HasMark(DUPLICATE)] = seen[name].add(column.hashes)


def matches_of(plan: SearchPlan, facts: ShardFacts) -> ShardMatches:
    """Return the records of a shard of which the captions meet all terms."""
    query, columns = plan.query, facts.columns
    free = {name: meeting(column, query.free) for name, column in columns.items()}
    groups = query.by_models or {tuple(plan.names): ()}
    by_caption = [
        {name: free[name] & meeting(columns[name], terms) for name in names if name in columns}
        for names, terms in groups.items()
    ]
    count = max((len(column.present) for column in columns.values()), default=0)
    found = np.ones(count, bool)
    for masks in by_caption:
        found &= np.logical_or.reduce([np.zeros(count, bool), *masks.values()])
    for term in query.exclusions:
        for name in term.models or ():
            if name in columns:
                column = columns[name]
                found &= ~(column.present & column.meets.get(term.condition, column.present))
    models = np.zeros(count, np.uint8)
    for name, mask in reversed(by_caption[0].items()):
        models[mask] = plan.names.index(name)
    indices = np.flatnonzero(found)
    return ShardMatches(facts.shard, indices.astype(np.uint32), models[indices])


def meeting(column: ColumnFacts, terms: Sequence[SearchTerm]) -> Mask:
    """Return which captions of a column meet all terms."""
    mask = column.present.copy()
    for term in terms:
        met = column.meets.get(term.condition, column.present)  # any caption meets `IsAny`
        mask &= ~met if term.negated else met
    return mask
