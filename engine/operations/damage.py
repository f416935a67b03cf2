"""Telling the tracker of damage that was found, so that a run makes it good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from db import projects
from db.connection import DatabaseError, reading
from db.rows import TaskRow
from engine.operations import run_control
from engine.project.damage import Damage, DamagedFiles
from engine.project.layout import Project
from engine.project.shard_file import ShardDamage, inspect_shard, shard_damage
from engine.requests.kinds import MAX_LISTED, Recheck
from engine.utils.errors import BadInput, RequestRefused
from engine.utils.plurals import plural

TASKS_AT_ONCE = 100
"""Tasks that one request to a run names: the run stands still while it reads their files, for about
5 ms a task of 10,000 records."""

NOT_TOLD = "The tracker was not updated, since this is read-only"
"""What is said of damage that is found from a window that is read-only."""


@contextmanager
def telling_damage(project: Project, tell: bool = True) -> Iterator[None]:
    """Tell the tracker of the damage that the block finds, unless `tell` is False.

    `DamagedFiles` becomes a `BadInput` that also says what makes it good.
    """
    try:
        yield
    except DamagedFiles as error:
        raise BadInput(describe_damage(project, error.damage, tell)) from error


def describe_damage(project: Project, damage: Sequence[Damage], tell: bool = True) -> str:
    """Return as text what is damaged and what becomes of it; see `telling_damage`."""
    return f"{DamagedFiles(damage)}. {tell_damage(project, damage) if tell else NOT_TOLD}"


def tell_damage(project: Project, damage: Sequence[Damage]) -> str:
    """Have the tracker look at damaged files, and return what becomes of them as sentences."""
    try:
        named = damaged_tasks(project, damage)
        live = run_control.live_supervisor(project) is not None
        at_once = TASKS_AT_ONCE if live else MAX_LISTED
        for start in range(0, max(1, len(named)), at_once):  # without tasks, for project.json
            tasks = [task.id for task in named[start : start + at_once]]
            run_control.send_request(project, Recheck(tasks=tasks))
        states = [task.state for task in damaged_tasks(project, damage)]
    except (RequestRefused, BadInput, DatabaseError, OSError) as error:
        return (
            f"The tracker could not be updated ({error}): make the project writable, then"
            " 'mllmaug-tui verify' and 'mllmaug-tui run'"
        )
    anew = states.count("pending") + states.count("running")
    sentences = []
    if anew:
        sentences.append(f"'mllmaug-tui run' captions {plural(anew, 'task')} again")
    if failed := states.count("failed"):
        advice = next((each.advice for each in damage if each.model_id is None), "see 'failures'")
        sentences.append(f"{plural(failed, 'task')} failed: {advice}")
    return "; ".join(sentences) or (
        "It was repaired without 'mllmaug-tui run': give the command again"
    )


def check_shard(project: Project, number: int) -> None:
    """Raise `DamagedFiles` if a shard file is not the one that was split."""
    with reading(project.database) as connection:
        shard = projects.shard(connection, number)
    path = project.shard_file(number)
    if shard is not None and isinstance(inspect_shard(path, shard.digest), ShardDamage):
        raise DamagedFiles([shard_damage(path, number)])


def damaged_tasks(project: Project, damage: Sequence[Damage]) -> list[TaskRow]:
    """Return the tasks that damaged files belong to: to a shard's file, those of all models."""
    logs = {(each.shard, each.model_id) for each in damage}
    shards = {each.shard for each in damage if each.model_id is None}
    with reading(project.database) as connection:
        return [
            task
            for task in projects.tasks(connection)
            if task.shard in shards or (task.shard, task.model_id) in logs
        ]
