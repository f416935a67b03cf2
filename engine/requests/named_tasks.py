"""The tasks that a request names: they must exist, and an answer names the first few of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.state.project_state import ProjectState
from engine.utils.errors import RequestRefused

NAMED_TASKS = 5
"""Tasks that a text names, at most, so that it fits on a line."""


def known_tasks(project_state: ProjectState, task_ids: Iterable[int]) -> list[int]:
    """Return the ids, each once. Raises `RequestRefused` if the project lacks one of the tasks."""
    requested = list(dict.fromkeys(task_ids))
    unknown = next((t for t in requested if t not in project_state.ledger.tasks), None)
    if unknown is not None:
        raise RequestRefused(f"tasks: there is no task {unknown}")
    return requested


def name_tasks(project_state: ProjectState, task_ids: Sequence[int]) -> str:
    """Return the first few tasks as text, by shard and model."""
    tasks = [project_state.ledger[task_id] for task_id in task_ids[:NAMED_TASKS]]
    names = [f"{task.shard:05} {project_state.models[task.model_id].name}" for task in tasks]
    return ", ".join(names) + (", ..." if len(task_ids) > NAMED_TASKS else "")
