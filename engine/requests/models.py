"""The requests to change a model's settings and to add a model, in a project that exists.

Settings that shape the raw captions name the folder of a model's caption logs, by their hash. With
others its tasks begin anew in another folder; the captions of the old settings stay on disk, and
count again when the settings are set back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import msgspec

from db import projects
from db.connection import reading
from db.rows import ModelRow
from engine.captioners.address import check_name
from engine.captioners.registry import (
    FAMILIES,
    IMPORTED,
    ModelChoice,
    Settings,
    change_model,
    choose,
)
from engine.project.layout import Project
from engine.project.prompt_checks import count_lacking
from engine.quality.alarms import NAMES, Figures, HealthRecord, PilotSpeed
from engine.requests.kinds import Configure, PilotFigures
from engine.state.project_state import ProjectState
from engine.state.reconcile import catch_up, log_path
from engine.utils.errors import BadInput, RequestRefused
from engine.utils.plurals import plural


def changed_choice(model: ModelRow, changes: Mapping[str, str]) -> ModelChoice:
    """Return the model with its changed settings. Raises `BadInput`."""
    if model.family == IMPORTED:
        raise BadInput(f"{model.name} has no settings: its captions were made elsewhere")
    settings = Settings.of(model.settings)
    return change_model(model.name, model.family, model.checkpoint, settings, changes)


def restarts_tasks(project: Project, name: str, changes: Mapping[str, str]) -> bool:
    """Return True if the changes would begin the model's tasks anew.

    Raises `BadInput` for what `configure` would not take.
    """
    with reading(project.database) as connection:
        models = {model.name: model for model in projects.models(connection)}
    if name not in models:
        raise BadInput(f"the project has no model {name!r}: it has {', '.join(models)}")
    choice = changed_choice(models[name], changes)
    if changes.keys() & {"prompt", "prompts"}:
        check_prompts(project, choice)
    return choice.settings_hash != models[name].settings_hash


def check_prompts(project: Project, choice: ModelChoice) -> None:
    """Raise `BadInput` if no record of the first shard has a text for which a prompt asks."""
    count_lacking([choice], [project.shard_file(0)])


def configure(project_state: ProjectState, request: Configure, running: bool) -> str:
    """Change a model's settings and return the answer as text.

    `running` is True if a supervisor runs: it has the old settings in its workers. Raises
    `RequestRefused`, and `BadInput` for changes that make no sense.
    """
    name, changes = request.model, request.changes
    model = project_state.model_named(name)
    if model is None:
        raise RequestRefused(f"the project has no model {name!r}")
    if running:
        raise RequestRefused("the project is running: stop it, set, then run it again")
    choice = changed_choice(model, changes)
    changed = replace(
        model,
        checkpoint=choice.checkpoint,
        settings=choice.settings,
        settings_hash=choice.settings_hash,
        blocked=None,
        blocked_cause=None,
        load_failures=0,
        unavailable=None,
        unavailable_cause=None,
        not_before=0.0,
        health="" if choice.settings_hash != model.settings_hash else told_anew(model.health),
        health_stop=None,
    )
    project_state.save_model(changed)
    if "batch" in changes or "preset" in changes:
        project_state.forget_batches(model.id)
    pairs = ", ".join(f"{key}={value}" for key, value in changes.items())
    text = f"set {pairs}"
    if changed.settings_hash == model.settings_hash:
        text += "; captions stay as they are"
    else:
        tasks, with_captions = restart_tasks(project_state, changed)
        text += f"; {plural(tasks, 'task')} to do again"
        if with_captions:
            text += f", {with_captions} of them with captions of the same settings from before"
        text += f"; what was captioned so far stays in captions/{model.folder}"
    project_state.event("info", text, model=name)
    return f"{name}: {text}"


def choose_new(
    project: Project, text: str, preset: str | None, changes: Mapping[str, str]
) -> ModelChoice:
    """Read `NAME[=CHECKPOINT]` for a model that the project lacks. Raises `BadInput`."""
    with reading(project.database) as connection:
        models = projects.models(connection)
    choice = choose(text, preset, changes, models)
    if choice.name in [model.name for model in models]:
        raise BadInput(f"the project has {choice.name} already: 'set' changes it")
    check_prompts(project, choice)
    return choice


def add_model(project_state: ProjectState, choice: ModelChoice, running: bool) -> str:
    """Add a model with a task for every shard, and return the answer as text.

    `running` is True if a supervisor runs: it would not know the new tasks. Raises
    `RequestRefused`, and `BadInput` for a choice that `choose` would not make.
    """
    if project_state.model_named(choice.name) is not None:
        raise RequestRefused(f"the project has {choice.name} already")
    if running:
        raise RequestRefused("the project is running: stop it, add the model, then run it again")
    choice = checked_choice(choice)
    project_state.add_model(new_model_row(project_state.models.values(), choice))
    text = f"added, with {plural(len(project_state.shards), 'task')}"
    project_state.event("info", text, model=choice.name)
    return f"{choice.name}: {text}"


def new_model_row(models: Collection[ModelRow], choice: ModelChoice) -> ModelRow:
    """Return the row of a model that is added behind these."""
    return ModelRow(
        id=max(model.id for model in models) + 1,
        position=max(model.position for model in models) + 1,
        name=choice.name,
        family=choice.family,
        checkpoint=choice.checkpoint,
        settings=choice.settings,
        settings_hash=choice.settings_hash,
    )


def checked_choice(choice: ModelChoice) -> ModelChoice:
    """Return the choice as `choose` makes it. Raises `BadInput`, which names the bad field.

    Name and settings hash become the name of a folder, so that they are not taken on trust.
    """
    family = FAMILIES.get(choice.family)
    if family is None:
        raise BadInput(f"choice.family: there is no family {choice.family!r}")
    if choice.name != family.name:
        check_name(choice.name)
    if (choice.checkpoint is None) != (family.checkpoint_form is None):
        raise BadInput(f"choice.checkpoint: {family.name} needs one or takes none")
    try:
        settings = msgspec.convert(choice.settings, Settings)
    except ValueError as error:
        raise BadInput(f"choice.settings: {error}") from error
    checked = change_model(choice.name, choice.family, choice.checkpoint, settings, {})
    if checked.settings_hash != choice.settings_hash:
        raise BadInput("choice.settings_hash: these settings have another hash")
    return checked


def keep_pilot_figures(project_state: ProjectState, request: PilotFigures) -> str:
    """Keep what a pilot showed of a model, which moves the limits of its alarms.

    Raises `RequestRefused`.
    """
    model = project_state.model_named(request.model)
    if model is None:
        raise RequestRefused(f"the project has no model {request.model!r}")
    record = HealthRecord.of(model.health)
    counts = {name: count for name, count in request.counts.items() if name in NAMES}
    record.pilot = Figures(request.captions, counts)
    record.speed = None
    if request.images_per_second:
        record.speed = PilotSpeed(request.images_per_second, request.load_seconds, request.memory)
    project_state.save_model(replace(model, health=record.text))
    return f"{model.name}: kept what the pilot showed of {plural(request.captions, 'caption')}"


def told_anew(health: str) -> str:
    """Return a health record after which every defect is told as if for the first time."""
    record = HealthRecord.of(health)
    record.states = {}
    return record.text if health else ""


def restart_tasks(project_state: ProjectState, model: ModelRow) -> tuple[int, int]:
    """Begin all tasks of a model with new settings anew.

    Returns how many tasks that are, and how many of them have captions in the folder of the new
    settings already, which they go on with.
    """
    now = project_state.clock.time()
    ids = [task.id for task in project_state.ledger.tasks.values() if task.model_id == model.id]
    with_captions = 0
    for task_id in ids:
        task = project_state.ledger.restart(task_id, now)
        project_state.failures[task_id] = ()
        log = log_path(project_state, task)
        if log.exists():
            catch_up(project_state, task, log, now)
            with_captions += project_state.ledger[task_id].captioned > 0
    return len(ids), with_captions
