"""What is said of tasks that are not done, where their captions are counted."""

from __future__ import annotations

from collections.abc import Sequence

from db import projects
from db.connection import reading
from engine.project.layout import Project
from engine.project.selectors import select_captioners
from engine.quality.comparison import ORIGINAL

OPEN = ("pending", "running", "failed")
"""The states of tasks whose captions may not be all there."""


def unfinished_note(project: Project, names: Sequence[str]) -> str:
    """Return how many tasks of the named models, or of all, are not done; empty if all are.

    A log that was found damaged is set aside, so that its task is not done, and has no captions,
    until a run has captioned it again. Raises `BadInput`.
    """
    chosen = [name for name in names if name != ORIGINAL]
    with reading(project.database) as connection:
        models = select_captioners(projects.models(connection), chosen)
        tasks = projects.tasks(connection)
    ids = {model.id for model in models} if chosen or not names else set()
    states = [task.state for task in tasks if task.model_id in ids]
    unfinished = sum(state in OPEN for state in states)
    if not unfinished:
        return ""
    are = "is" if unfinished == 1 else "are"
    return (
        f"{unfinished:,} of {len(states):,} tasks {are} not done: their captions are counted as far"
        " as they are there"
    )
