"""What `samples --where` finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.utils.plurals import plural
from tui.cli.requests import is_readonly, warn

if TYPE_CHECKING:
    from engine.operations.records import SampledImage
    from engine.operations.search.matches import ShardMatches
    from engine.project.layout import Project


def find_samples(
    project: Project, text: str, models: Sequence[str], count: int
) -> list[SampledImage]:
    """Return the first records with such a caption, `count` at most, and say how many there are.

    Raises `BadInput`.
    """
    from engine.operations.damage import describe_damage
    from engine.operations.records import chosen_samples
    from engine.operations.search.matches import Matches
    from engine.operations.search.run_search import run_search
    from tui.cli.progress_bars import step_bar

    matches, readonly = Matches(models), is_readonly()
    with step_bar("searching shards") as show_progress:

        def progress(done: int, total: int, found: ShardMatches) -> None:
            matches.add(found)
            show_progress(done, total)

        damage = run_search(project, text, models, readonly=readonly, progress=progress)
    shown = min(count, len(matches))
    more = "; --count N shows more" if shown < len(matches) else ""
    warn(f"{plural(len(matches), 'record')} found{more}")
    if damage:
        warn(f"captions were left out: {describe_damage(project, damage, not readonly)}")
    keys = matches.keys(range(shown))
    return chosen_samples(project, lambda known: keys, models, not readonly)
