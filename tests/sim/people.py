"""What people ask of a simulated project: requests of every kind, sensible and not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from engine.requests.kinds import (
    Configure,
    Exclude,
    Flag,
    Pause,
    Pin,
    Prioritise,
    Request,
    Resume,
    Retry,
    Skip,
    Stop,
    Wake,
)
from tests.sim.worker import SHARD_SIZE

KINDS_OF_FAILURE = (None, "corrupt", "poison", "invalid", "excluded")
NONSENSE: tuple[tuple[str, Any], ...] = (
    ("fly", {}),
    ("retry", {}),
    ("retry", {"tasks": "all"}),
    ("retry", {"tasks": [10**6]}),
    ("skip", {"tasks": [-1]}),
    ("priority", {"tasks": [1], "by": 10**30}),
    ("exclude", {"records": [[1, [10**9]]], "exclude": 3}),
    ("flag", {"places": [[99, 0]], "flagged": True}),
    ("pin", {"device": "nothing", "model": "a"}),
    ("wake", {}),
    ("set", {"model": "a", "changes": {"family": "x"}}),
)
"""Rows of the table of requests that make no sense: kind and payload."""


def sensible_request(
    rng: random.Random, tasks: Sequence[int], devices: Sequence[str], live: bool
) -> Request:
    """Return a request that a person might make; `live` is True for one to a run."""
    some = sorted(rng.sample(list(tasks), rng.randint(1, len(tasks))))
    records = tuple(sorted(rng.sample(range(SHARD_SIZE), 2)))
    device = rng.choice(list(devices))
    choices: list[Request] = [
        Pause(),
        Resume(),
        Resume(),
        Resume(),
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
        Flag(records=((0, 1),), flagged=rng.choice([True, False, None])),
        Pin(device=device, model=rng.choice(["a", "b", "s", None])),
        Pin(device=device),
        Wake(device=device),
    ]
    if live:
        choices.append(Stop(after_shard=rng.random() < 0.7))
    else:
        changes = {"max_new_tokens": rng.choice(["20", "30"])}
        choices.append(Configure(model=rng.choice(["a", "b"]), changes=changes))
    return rng.choice(choices)
