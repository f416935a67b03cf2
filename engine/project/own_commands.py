"""Which commands a project may have run: those that this user has given, and no others.

A model of the family `server` may name a program: a command of its own, the interpreter of an
engine, or arguments of an engine, which can make it load code. A project may come from somebody
else. So what it names runs only if this user has named it, by making or changing the model here, or
has allowed it since. That is kept among the user's own files, for the project, the checkpoint and
the very command.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from db import projects
from db.connection import reading
from db.rows import ModelRow
from engine.captioners.registry import FAMILIES, Settings
from engine.project.layout import Project
from engine.utils.errors import BadInput
from engine.utils.user_config import state_folder


def allow(project: Project, uid: str, models: Iterable[ModelRow]) -> None:
    """Allow what these models name. Raises `BadInput` if that cannot be kept."""
    for model in models:
        if not named_command(model):
            continue
        path = consent_file(uid, model)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(project.folder) + b"\n")  # for people who look
        except OSError as error:
            raise BadInput(f"cannot save your permission in {path.parent}: {error}") from error


def allow_in(project: Project) -> None:
    """Allow what all models of a project on disk name. Raises `BadInput`, `DatabaseError`."""
    allow(project, *read_facts(project))


def allow_changes(
    project: Project, uid: str, before: Mapping[int, ModelRow], after: Mapping[int, ModelRow]
) -> None:
    """Allow what this user has made of the models, by id, with a request.

    A model whose command they had not allowed before stays so. Raises `BadInput`.
    """
    own = [it for it in after.values() if it.id not in before or is_allowed(uid, before[it.id])]
    allow(project, uid, own)


def is_allowed(uid: str, model: ModelRow) -> bool:
    """Return True if a model names nothing to run, or what it names is this user's own word."""
    return not named_command(model) or consent_file(uid, model).is_file()


def check(project: Project) -> None:
    """Raise `BadInput` if a model of the project names a command that this user has not named."""
    uid, models = read_facts(project)
    for model in models:
        if not is_allowed(uid, model):
            raise BadInput(refusal(project, model))


def refusal(project: Project, model: ModelRow) -> str:
    """Return what is said of a model whose command this user has not named."""
    return (
        f"{model.name} would run {shlex.join(named_command(model))!a} on this machine, a"
        " command of the project that this user has not permitted: to permit it,"
        f" 'mllmaug-tui run {shlex.quote(str(project.folder))} --allow-commands'"
    )


def named_command(model: ModelRow) -> list[str]:
    """Return the program and arguments that a model itself names; an empty list for none."""
    family = FAMILIES.get(model.family)
    if family is None or not family.serves:
        return []
    settings = Settings.of(model.settings)
    program = settings.backend_command or ([settings.interpreter] if settings.interpreter else [])
    if settings.engine_arguments and not program:
        program = [settings.backend]
    return [*program, *settings.engine_arguments]


def consent_file(uid: str, model: ModelRow) -> Path:
    """Return the file that exists if this user has allowed the command of a model."""
    settings = Settings.of(model.settings)
    facts: list[Any] = [uid, model.checkpoint]
    facts += [settings.backend, settings.interpreter, settings.arguments]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    return state_folder() / "commands" / digest


def read_facts(project: Project) -> tuple[str, list[ModelRow]]:
    """Return the id of a project and its models. Raises `DatabaseError`."""
    with reading(project.database) as connection:
        return projects.project(connection).uid, list(projects.models(connection))
