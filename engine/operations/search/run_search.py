"""A search from its text to its end, for a command and for a process in the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.operations.search.matches import ShardMatches
from engine.operations.search.search import plan_search, search_captions
from engine.project.damage import Damage
from engine.project.layout import Project


def run_search(
    project: Project,
    text: str,
    names: Sequence[str] = (),
    language: str = "en",
    readonly: bool = False,
    progress: Callable[[int, int, ShardMatches], None] = lambda done, total, found: None,
) -> list[Damage]:
    """Search for what a person typed, in the captions of these models or of all.

    `progress` gets the numbers of shards that were searched and of all, and what was found in the
    last one. Returns what is damaged, of which captions were left out. Other arguments are those
    of `plan_search`. Raises `BadInput`, `OSError`.
    """
    damage: list[Damage] = []
    for step in search_captions(plan_search(project, text, names, language, readonly)):
        damage += step.damage
        progress(step.done, step.total, step.matches)
    return damage
