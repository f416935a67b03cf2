"""What people ask of a simulated project: requests of every kind, sensible and not."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from engine.captioners.registry import choose
from engine.quality.defect_names import DEFECT_NAMES
from engine.requests.kinds import (
    AddModel,
    AskAgain,
    Configure,
    Exclude,
    Flag,
    Pause,
    Pin,
    Prioritise,
    Recheck,
    Request,
    Resume,
    Retry,
    Skip,
    Stop,
    Wake,
)
from tests.sim.naming import PROMPTS, SHARD_SIZE, TaskName
from tests.sim.truth import Truth

SERVER = "s"
"""The name of the model that a server has: a dry run cannot be asked in another way."""
LOOPS = "loops"
"""The defect that captions are said to have when they are asked again."""
KINDS_OF_FAILURE = (None, "corrupt", "poison", "invalid", "excluded")
NONSENSE: tuple[tuple[str, Any], ...] = (
    ("fly", {}),
    ("retry", {}),
    ("retry", {"tasks": "all"}),
    ("retry", {"tasks": [10**6]}),
    ("skip", {"tasks": [-1]}),
    ("priority", {"tasks": [1], "by": 10**30}),
    ("exclude", {"records": [[1, [10**9]]], "exclude": 3}),
    ("exclude", {"records": [[1, None], [1, None]]}),
    ("flag", {"places": [[99, 0]], "flagged": True}),
    ("pin", {"device": "nothing", "model": "a"}),
    ("pin", {"device": "cpu:0", "model": "no such model"}),
    ("wake", {}),
    ("set", {"model": "a", "changes": {"family": "x"}}),
    ("add_model", {"choice": {"name": "../x", "family": "dry-run"}}),
    ("stop", "now"),
    ("pause", [1]),
)
"""Rows of the table of requests that make no sense: kind and payload."""


def sensible_request(
    rng: random.Random,
    names: Mapping[int, TaskName],
    devices: Sequence[str],
    models: Sequence[str],
) -> Request:
    """Return a request that a person might make, to a run or to a project that does not run.

    `names` has the project's tasks by id.
    """
    tasks = list(names)
    of_server = [task for task, (model, _) in names.items() if model == SERVER] or tasks
    some = sorted(rng.sample(tasks, rng.randint(1, len(tasks))))
    records = tuple(sorted(rng.sample(range(SHARD_SIZE), 2)))
    device = rng.choice(list(devices))
    model = rng.choice(list(models))
    # A server's model has settings that shape captions, a dry run has none.
    settings = {"max_new_tokens": rng.choice(["20", "25"])} if model == SERVER else {"batch": "4"}
    choices: list[Request] = [
        Pause(),
        Resume(),
        Resume(),
        Resume(),
        Stop(after_shard=rng.random() < 0.7),
        Retry(tasks=some),
        Retry(tasks=some, failed_items=True),
        Retry(tasks=some, failed_items=True),
        Skip(tasks=some[:2]),
        Skip(tasks=some, skip=False),
        Skip(tasks=some, skip=False),
        Prioritise(tasks=some, by=rng.choice([-1, 1])),
        Exclude(records=((some[0], records),)),
        Exclude(records=((some[0], None),), failed_as=rng.choice(KINDS_OF_FAILURE)),
        Exclude(records=((some[0], records),), exclude=False),
        Exclude(records=tuple((task, None) for task in some), exclude=False),
        ask_again(rng, of_server, records),
        ask_again(rng, [rng.choice(of_server)], range(SHARD_SIZE)),
        Recheck(tasks=some),
        Recheck(tasks=tuple(tasks)),
        Flag(records=((0, 1),), flagged=rng.choice([True, False, None])),
        Pin(device=device, model=model),
        Pin(device=device),
        Wake(device=device),
        Configure(model=model, changes=settings),
        AddModel(choice=choose("c=dry-run")),
    ]
    return rng.choice(choices)


def ask_again(rng: random.Random, tasks: Sequence[int], indexes: Sequence[int]) -> AskAgain:
    """Return the request to ask again for some captions of tasks, which are said to be loops."""
    return AskAgain(
        records=[(task, [(i, DEFECT_NAMES[LOOPS]) for i in indexes]) for task in tasks],
        bad=[LOOPS],
        changes={"prompt": rng.choice(list(PROMPTS))},
    )


def remember(request: Request, truth: Truth) -> None:
    """Note in the truth what a request allows the product to do."""
    if isinstance(request, Retry):
        truth.redone.update(known_names(request.tasks, truth))
        if not request.failed_items:
            truth.wordings.update(known_names(request.tasks, truth))
    if isinstance(request, AskAgain):
        for name in known_names([task for task, _ in request.records], truth):
            truth.redone.add(name)
            truth.prompts[name].add(request.changes["prompt"])
    if isinstance(request, Exclude):
        truth.excluded.update(known_names([task for task, _ in request.records], truth))


def known_names(tasks: Sequence[int], truth: Truth) -> list[TaskName]:
    return [truth.names[task] for task in tasks if task in truth.names]
