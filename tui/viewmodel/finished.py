"""What is said of a project that is finished: what there is, what it took, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tui.formatting import text
from tui.viewmodel.failed_count import failed_line
from tui.viewmodel.health import is_sick

if TYPE_CHECKING:
    from tui.viewmodel.pages import ProjectHistory
    from tui.viewmodel.snapshot import ModelProgress, Snapshot


def result_line(snapshot: Snapshot) -> str:
    """Return how many captions there are, and of how many images."""
    captions = text.plural(snapshot.captioned, "caption")
    line = f"{captions} of {text.plural(snapshot.records, 'image')}"
    scored = f"; {text.plural(snapshot.scored, 'image')} scored"
    return line + scored * (snapshot.to_score > 0)


def missing_line(snapshot: Snapshot) -> str:
    """Return what failed or was skipped; empty if nothing was."""
    parts = [failed_line(snapshot)] if snapshot.failed else []
    for state in ("failed", "skipped"):
        if count := snapshot.tasks[state]:
            parts.append(f"{text.plural(count, 'task')} {state}")
    return "; ".join(parts)


def work_line(snapshot: Snapshot, history: ProjectHistory) -> str | None:
    """Return how long the project was worked on, and from when to when; None if it never was."""
    work = history.work.get(None)
    if work is None:
        return None
    began, ended = (text.moment(at, snapshot.taken_at) for at in (work.began, work.ended))
    return f"{text.duration(work.seconds)} of work, from {began} to {ended}"


def model_line(model: ModelProgress, history: ProjectHistory) -> str:
    """Return what a model did, how long it took, and its mean rate."""
    line = f"{model.row.name}: {text.number(model.captioned)} {model.done_word}"
    line += f", {text.number(model.failed)} failed" * (model.failed > 0)
    work, images = history.work.get(model.row.id), history.images.get(model.row.id, 0)
    if work is None or not work.seconds:
        return line
    return f"{line}, {text.duration(work.seconds)}, mean {text.rate(images / work.seconds)} img/s"


def export_lines(snapshot: Snapshot, history: ProjectHistory) -> Iterator[str]:
    """Yield what was exported, the newest first."""
    for row in history.exports:
        when = text.moment(row.created, snapshot.taken_at)
        captions = text.plural(row.captions, "caption")
        yield f"exported {when}: {captions} ({row.format}) to {row.path}"


def next_steps(snapshot: Snapshot, history: ProjectHistory) -> Iterator[str]:
    """Yield what a person may do next, each after its key, the most pressing first."""
    if snapshot.tasks["failed"]:
        yield "r retry failed shards"
    if snapshot.failed:
        yield "4 failed images"
    if is_sick(snapshot):
        yield "6 bad captions"
    yield "3 captions"
    yield "e export again" if history.exports else "e export"
    if not is_sick(snapshot):
        yield "6 quality"
