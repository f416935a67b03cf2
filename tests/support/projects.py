"""Captions of projects, written without running a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.captioners.registry import ModelChoice
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.reconcile import reconcile
from engine.utils import jsonlines


def model_choice(name: str, **settings: Any) -> ModelChoice:
    """Return the choice of a model that is never loaded."""
    return ModelChoice(
        name=name,
        family="dry-run",
        checkpoint=None,
        settings=settings,
        settings_hash=f"hash-{name}"[:12],
    )


def write_captions(project: Project, make_row: Callable[[str, int, int], dict[str, Any]]) -> None:
    """Write the caption logs of all tasks, and mark the tasks done.

    `make_row` returns the row without `i`, from the model's name, shard number and index.
    """
    with ProjectLock(project.lock):
        project_state = ProjectState.load(project, Policy())
        for task in project_state.ledger.tasks.values():
            model = project_state.models[task.model_id]
            log = project.caption_log_file(model, task.shard)
            log.parent.mkdir(exist_ok=True)
            rows = ({"i": i} | make_row(model.name, task.shard, i) for i in range(task.count))
            log.write_bytes(b"".join(jsonlines.dumps(row) + b"\n" for row in rows))
        reconcile(project_state)
        project_state.commit()
