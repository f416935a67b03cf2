"""Changing how a model is asked, and adding one, in a project that exists.

Settings that shape the raw text name the folder of a model's captions. With others its tasks begin
anew in another folder; the captions of the old settings stay on disk, and count again when the
settings are set back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from db import projects
from db.connection import reading
from db.rows import ModelRow
from engine.captioners.registry import ModelChoice, Settings, change, choose
from engine.project.layout import Project
from engine.state.project_state import ProjectState
from engine.state.reconcile import catch_up, log_of
from engine.utils.errors import BadInput, Refused
from engine.utils.plurals import plural


def choice_of(model: ModelRow, changes: Mapping[str, str]) -> ModelChoice:
    """Raises `BadInput`."""
    settings = Settings.of(model.settings)
    return change(model.name, model.family, model.checkpoint, settings, changes)


def check(project: Project, name: str, changes: Mapping[str, str]) -> bool:
    """Whether the model's tasks would begin anew. Raises `BadInput` for what `configure` would
    not take."""
    with reading(project.database) as connection:
        models = {model.name: model for model in projects.models(connection)}
    if name not in models:
        raise BadInput(f"the project has no model {name!r}: it has {', '.join(models)}")
    return choice_of(models[name], changes).settings_hash != models[name].settings_hash


def configure(
    project_state: ProjectState, name: str, changes: Mapping[str, str], running: bool
) -> str:
    """The answer, in words. Raises `Refused`, and `BadInput` for changes that make no sense."""
    model = project_state.model_named(name)
    if model is None:
        raise Refused(f"the project has no model {name!r}")
    if running:
        raise Refused("the project is running: stop it, set, then run it again")
    choice = choice_of(model, changes)
    changed = replace(
        model,
        checkpoint=choice.checkpoint,
        settings=choice.settings,
        settings_hash=choice.settings_hash,
        blocked=None,
        load_failures=0,
        unavailable=None,
        not_before=0.0,
    )
    project_state.save_model(changed)
    if "batch" in changes or "preset" in changes:
        project_state.forget_batches(model.id)
    told = ", ".join(f"{key}={value}" for key, value in changes.items())
    text = f"{name}: set {told}"
    if changed.settings_hash == model.settings_hash:
        text += "; captions stay as they are"
    else:
        count, found = begin_anew(project_state, changed)
        text += f"; {plural(count, 'task')} to do anew"
        if found:
            text += f", {found} of them with captions of the same settings from before"
        text += f"; what was captioned so far stays in captions/{model.folder}"
    project_state.event("info", text, model=name)
    return text


def choose_new(
    project: Project, text: str, preset: str | None, changes: Mapping[str, str]
) -> ModelChoice:
    """Reads `NAME[=CHECKPOINT]` for a model that the project lacks. Raises `BadInput`."""
    choice = choose(text, preset, changes)
    with reading(project.database) as connection:
        names = [model.name for model in projects.models(connection)]
    if choice.name in names:
        raise BadInput(f"the project has {choice.name} already: 'set' changes it")
    return choice


def add_model(project_state: ProjectState, choice: ModelChoice, running: bool) -> str:
    """The answer, in words. Raises `Refused`."""
    if project_state.model_named(choice.name) is not None:
        raise Refused(f"the project has {choice.name} already")
    if running:
        raise Refused("the project is running: stop it, add the model, then run it again")
    model = ModelRow(
        max(project_state.models) + 1,
        max(model.position for model in project_state.models.values()) + 1,
        choice.name,
        choice.family,
        choice.checkpoint,
        choice.settings,
        choice.settings_hash,
    )
    project_state.add_model(model)
    text = f"{choice.name}: added, with {plural(len(project_state.shards), 'task')}"
    project_state.event("info", text, model=choice.name)
    return text


def begin_anew(project_state: ProjectState, model: ModelRow) -> tuple[int, int]:
    """How many tasks are asked for again, and how many find captions in the other folder."""
    now = time.time()
    ids = [task.id for task in project_state.ledger.tasks.values() if task.model_id == model.id]
    found = 0
    for task_id in ids:
        task = project_state.ledger.restart(task_id, now)
        project_state.failures[task_id] = ()
        log = log_of(project_state, task)
        if log.exists():
            found += 1
            catch_up(project_state, task, log, now)
    return len(ids), found
