"""Asking again for captions that have defects, as health counts them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from db import projects
from db.connection import reading
from engine.captioners.registry import IMPORTED
from engine.operations import run_control
from engine.operations.damage import telling_damage
from engine.process.pool import map_on_all_cores
from engine.project.damage import Damage, DamagedFiles
from engine.project.layout import Project
from engine.project.selectors import select_captioners
from engine.project.task_health import (
    HealthJob,
    Originals,
    health_log,
    log_health,
    sampled_shards,
)
from engine.quality.caption_check import bits_of
from engine.quality.defects import DEFECT_NAMES, Defect
from engine.quality.shard_health import left_by_shearing
from engine.requests.kinds import AskAgain
from engine.shearing.shear import Shearing
from engine.utils.errors import BadInput
from engine.utils.plurals import plural

OF_SEVERAL = ("duplicates", "near_duplicates", "same_as_other")
"""Names of what health counts of several captions together: none of them is wrong by itself."""
ANY_DEFECT = sum(Defect)
"""The bits of all defects."""

TaskCaptions = tuple[int, Sequence[tuple[int, int]]]
"""The id of a task, and the indexes of its captions with a defect, each with all its defects."""


class BadCaptions(NamedTuple):
    """The captions that have one of some defects."""

    tasks: list[TaskCaptions]
    damage: list[Damage]
    cut: Mapping[int, int] = {}
    """How many more captions of each task have a wanted defect that shearing cuts."""


class BadCaptionsJob(NamedTuple):
    """One shard whose captions are looked at, for the bits of some defects."""

    health: HealthJob
    wanted: int


def ask_again(
    project: Project,
    bad: Sequence[str],
    changes: Mapping[str, str],
    names: Sequence[str] = (),
    shards: Sequence[int] = (),
    language: str = "en",
    tasks: Collection[int] | None = None,
) -> str:
    """Ask again for captions with one of these defects, and return the answer.

    `changes` are settings as text. Captions of the models with these names and of these shards are
    meant, by default of all that a run makes, or of the tasks with these ids; `language` is the
    code of the language asked for. Raises `BadInput`, `RequestRefused`.
    """
    check_names(bad)
    refuse_imported(project, names)
    if not changes:
        raise BadInput(
            "the model would give the same captions: give --seed N, --prompt TEXT or both"
        )
    with telling_damage(project, True):
        captions = find_bad(project, bad, names, shards, language)
    found = [each for each in captions.tasks if tasks is None or each[0] in tasks]
    if not found:
        cut = sum(n for task, n in captions.cut.items() if tasks is None or task in tasks)
        return describe_none(bad, cut)
    request = AskAgain(records=found, bad=tuple(bad), changes=dict(changes), language=language)
    return run_control.send_request(project, request).text


def describe_none(bad: Sequence[str], cut: int) -> str:
    """Return that no caption is to be asked for again, although shearing cuts a defect of some."""
    text = f"no caption has {' or '.join(bad)}"
    if cut:
        has = "has" if cut == 1 else "have"
        text += f" after shearing ({plural(cut, 'caption')} {has} what shearing cuts)"
    return f"{text}: nothing to ask again"


def refuse_imported(project: Project, names: Sequence[str]) -> None:
    """Raise `BadInput` if a named model was imported, or if all models were."""
    with reading(project.database) as connection:
        models = select_captioners(projects.models(connection), names)
    imported = [model.name for model in models if model.family == IMPORTED]
    if imported and (names or len(imported) == len(models)):
        raise BadInput(
            f"{', '.join(imported)}: imported captions cannot be asked for again, since no model of"
            " this project makes them: 'import' better ones, or leave bad ones out with 'export"
            " --without'"
        )


def parse_names(text: str) -> list[str]:
    """Return the names of defects in a list with commas, each once. Raises `BadInput`."""
    names = list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    check_names(names)
    return names


def check_names(names: Sequence[str]) -> None:
    """Raise `BadInput` unless these are names of defects that a single caption can have."""
    if not names:
        raise BadInput(f"name defects: {', '.join(DEFECT_NAMES)}")
    for name in names:
        if name in OF_SEVERAL:
            raise BadInput(
                f"{name} concern several captions, and no single one is wrong: captions can be"
                f" asked again only for {', '.join(DEFECT_NAMES)}"
            )
        if name not in DEFECT_NAMES:
            raise BadInput(f"there is no defect {name!r}: name one of {', '.join(DEFECT_NAMES)}")


def find_bad(
    project: Project,
    bad: Sequence[str],
    names: Sequence[str],
    numbers: Sequence[int],
    language: str,
) -> BadCaptions:
    """Return the captions that have one of these defects. Raises `BadInput`, `DamagedFiles`."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = select_captioners(projects.models(connection), names)
        if not names:
            models = [model for model in models if model.family != IMPORTED]
        shards = projects.shards(connection)
        tasks = {(task.shard, task.model_id): task for task in projects.tasks(connection)}
    known = {shard.number for shard in shards}
    for number in numbers:
        if number not in known:
            raise BadInput(f"there is no shard {number}: they are 0 to {max(known)}")
    sampled = sampled_shards(shards)
    jobs = [
        BadCaptionsJob(
            HealthJob(
                shard=shard,
                shard_file=project.shard_file(shard.number),
                logs=[
                    health_log(project, model, tasks[shard.number, model.id]) for model in models
                ],
                shearing=Shearing.of(settings),
                language=language,
                sampled=shard.number in sampled,
                save=True,
            ),
            bits_of(bad),
        )
        for shard in shards
        if not numbers or shard.number in numbers
    ]
    results = list(map_on_all_cores(bad_captions, jobs))
    if damage := [each for result in results for each in result.damage]:
        raise DamagedFiles(damage)
    return BadCaptions(
        [each for result in results for each in result.tasks],
        [],
        {task_id: n for result in results for task_id, n in result.cut.items()},
    )


def bad_captions(job: BadCaptionsJob) -> BadCaptions:
    """Return the captions of one shard that have one of the wanted defects. Raises `OSError`."""
    originals = Originals(job.health)
    found: list[TaskCaptions] = []
    cut: dict[int, int] = {}
    for log in job.health.logs:
        try:
            health = log_health(job.health, log, originals)
        except DamagedFiles as error:
            return BadCaptions([], list(error.damage))
        before = health.flag_array() & np.uint16(ANY_DEFECT)
        flags = left_by_shearing(health.flag_array()) & np.uint16(ANY_DEFECT)
        wanted = np.uint16(job.wanted)
        places = np.flatnonzero(flags & wanted).tolist()
        if places:
            found.append((log.task.id, [(i, int(flags[i])) for i in places]))
        cut[log.task.id] = int(np.count_nonzero(before & wanted)) - len(places)
    return BadCaptions(found, [], cut)
