"""Projects whose captions no model made."""

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


def choice(name: str, **settings: Any) -> ModelChoice:
    """A model that nothing loads."""
    return ModelChoice(name, "dry-run", None, settings, f"hash-{name}"[:12])


def write_captions(project: Project, say: Callable[[str, int, int], dict[str, Any]]) -> None:
    """Captions every shard as if models had run; `say` gives the row of a model, shard and `i`."""
    with ProjectLock(project.lock):
        project_state = ProjectState(project, Policy())
        for task in project_state.ledger.tasks.values():
            model = project_state.models[task.model_id]
            log = project.log_file(model, task.shard)
            log.parent.mkdir(exist_ok=True)
            rows = ({"i": i} | say(model.name, task.shard, i) for i in range(task.count))
            log.write_bytes(b"".join(jsonlines.dumps(row) + b"\n" for row in rows))
        reconcile(project_state)
        project_state.commit()
