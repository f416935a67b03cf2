"""The lines that commands print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from db import failures, projects
from db.connection import reading
from engine.project.layout import Project
from engine.utils.plurals import plural
from tui.formatting import text
from tui.viewmodel.failed_count import failed_line, failed_text
from tui.viewmodel.failure_hints import hint_for
from tui.viewmodel.health import sick_lines
from tui.viewmodel.image_waits import image_waits
from tui.viewmodel.killed import killed_time, what_is_lost
from tui.viewmodel.machine import host_label, measured_line
from tui.viewmodel.model_waiting import describe_wait, model_waits
from tui.viewmodel.pause import how_to_go_on
from tui.viewmodel.retry import retry_line
from tui.viewmodel.snapshot import Snapshot

if TYPE_CHECKING:
    from db.failures import Cause
    from engine.datasets.exports.export import ExportResult
    from engine.operations.records import SampledImage

TYPE_STATES = {
    "tried": "tried, which the tests compare with their own processor",
    "untried": "untried, which are asked by the chat template of their folder",
    "refused": "refused, which describe no images",
}
"""What `models` says of the types of model in each state."""


def status_lines(snapshot: Snapshot) -> Iterator[str]:
    """Yield what `status` prints: the project, its models, its workers."""
    counts = ", ".join(f"{count:,} {state}" for state, count in snapshot.tasks.items() if count)
    reason = f" ({snapshot.project.pause_reason})" if snapshot.project.pause_reason else ""
    images = plural(snapshot.records, "image")
    when = killed_time(snapshot)
    state = f"{snapshot.state}{f' {when}' if when else ''}{snapshot.where}{reason}"
    yield f"{snapshot.name}: {state}; {images}; tasks: {counts}"
    if when:
        yield f"  {what_is_lost(snapshot)}"
    if snapshot.state == "paused":
        yield f"  {how_to_go_on(snapshot)}"
    if failed := failed_line(snapshot):
        yield f"  {failed}"
    if snapshot.eta is not None:
        yield f"  {text.duration(snapshot.eta)} left"
    finish_times = snapshot.finish_times
    for model in snapshot.models:
        seconds = finish_times.get(model.row.id)
        eta = "" if seconds is None else f", {text.duration(seconds)} left"
        rate = f", {text.rate(model.rate)} images/s" if model.rate else ""
        yield (
            f"  {model.row.name}: {model.captioned:,} of {model.total:,} images {model.done_word},"
            f" {text.number(model.failed)} failed{rate}{eta}"
        )
        if retry := retry_line(model):
            yield f"  {model.row.name}: {retry}"
        for line in sick_lines(model.row):
            yield f"  {model.row.name}: {line}"
        if model.row.health_stop:
            yield f"  {model.row.name} was stopped, since {model.row.health_stop}"
        if model.row.blocked:
            yield f"  {model.row.name} cannot be loaded: {model.row.blocked}"
        if outage := describe_wait(model.row):
            yield f"  {model.row.name} {outage}"
    for wait in model_waits(snapshot).values():
        yield f"  {wait.text}"
    if waits_for_images := image_waits(snapshot):
        yield f"  {waits_for_images}"
    if has_uncounted_captions(snapshot):
        yield "  the tracker knows of no caption: the next run counts those in the caption logs"
    for worker in snapshot.workers:
        shard = "" if worker.task is None else f" shard {worker.task.shard:05}"
        model_name = worker.model or "no model"
        yield f"  {worker.row.device}: {worker.row.state} {model_name}{shard}"
    for view in snapshot.devices:
        if measured := measured_line(view.row):
            yield f"  {view.row.id}: {measured}"
    if snapshot.host is not None:
        yield f"  {host_label(snapshot.host)}"


def has_uncounted_captions(snapshot: Snapshot) -> bool:
    """Return True if there are caption logs of which nothing is counted.

    So it is after the database was rebuilt, until a run has begun.
    """
    if snapshot.captioned or snapshot.scored or snapshot.failed:
        return False
    project = Project(snapshot.folder)
    logs = (project.caption_log_file(model.row, 0).parent for model in snapshot.captioners)
    return any(
        ".sheared-" not in file.name and file.stat().st_size > 0
        for folder in logs
        for file in folder.glob("*.jsonl")
    )


def failure_lines(project: Project) -> Iterator[str]:
    """Yield the causes of failures, the most frequent first; nothing if nothing failed."""
    with reading(project.database) as connection:
        causes = failures.causes(connection)
    if causes:
        yield "failures:"
    yield from cause_lines(project, causes)


def cause_lines(project: Project, causes: Sequence[Cause]) -> Iterator[str]:
    """Yield a line a cause, with the hint what to do about it."""
    with reading(project.database) as connection:
        names = {model.id: model.name for model in projects.models(connection)}
    for cause in causes:
        where = "" if cause.model_id is None else f"{names[cause.model_id]}: "
        where += "" if cause.shard is None else f"shard {cause.shard:05}: "
        if cause.scope == "shard":
            yield f"  {where}{failed_text(cause)} failed: {cause.kind}"
        else:
            yield f"  {where}{cause.kind}: {failed_text(cause)} ({hint_for(cause).advice})"


def sample_lines(sample: SampledImage) -> Iterator[str]:
    """Yield an image and its captions, raw with the cuts marked and sheared."""
    flag = ", flagged" if sample.flagged else ""
    yield f"{sample.image}  (shard {sample.shard:05}, record {sample.i}{flag})"
    yield f"  original: {sample.original}"
    if sample.original_scores:
        yield f"    scores: {score_text(sample.original_scores)}"
    for name, rating in sample.ratings.items():
        reason = f": {rating.reason}" if rating.reason else ""
        yield f"  the caption of {name} is {rating.word}{reason}"
    for caption in sample.captions:
        if caption.raw is None:
            yield f"  {caption.model}: failed, {caption.error}"
            continue
        yield f"  {caption.model}: {mark_cuts(caption.raw, caption.start, caption.end)}"
        yield f"    sheared: {caption.sheared}"
        if caption.scores:
            raw = f"; of the raw text {score_text(caption.raw_scores)}" * bool(caption.raw_scores)
            yield f"    scores: {score_text(caption.scores)}{raw}"
        for mode, sheared in caption.modes.items():
            if sheared != caption.sheared:
                yield f"    sheared in mode {mode}: {sheared}"


def score_text(scores: Mapping[str, float]) -> str:
    """Return scores with the names of their scorers."""
    return ", ".join(f"{name} {score:.3f}" for name, score in scores.items())


def mark_cuts(raw: str, start: int | None, end: int | None) -> str:
    """Return the raw caption with what shearing cut between `//`; `start` to `end` was kept."""
    if start is None or end is None:
        return raw
    before, remaining, after = raw[:start], raw[start:end], raw[end:]
    return "".join(
        [f"//{before}//" if before.strip() else before, remaining, f"//{after}//" if after else ""]
    )


def export_lines(result: ExportResult) -> Iterator[str]:
    """Yield what an export wrote, how it is read, and last the line that adds up."""
    counted = f"{plural(result.captions, 'caption')} of {plural(result.images, 'image')}"
    yield f"{result.path}: {counted}"
    yield from result.hints
    yield result.sum_line()


def family_lines() -> Iterator[str]:
    """Yield what `models` prints: each family with its checkpoint and its presets."""
    from engine.operations.model_catalogue import family_dicts

    for family in family_dicts():
        yield f"{family['name']}: {family['summary']}"
        yield f"  checkpoint: {family['checkpoint'] or 'none needed'}"
        if family["demo_checkpoint"]:
            yield f"  tiny built-in one: {family['demo_checkpoint']}"
        for name, preset in family["presets"].items():
            shown = {key: value for key, value in preset.items() if value not in (None, "")}
            yield f"  {name}: " + ", ".join(f"{key} {value!r}" for key, value in shown.items())
        for state, types in family.get("types", {}).items():
            yield f"  types {TYPE_STATES[state]}: {', '.join(types)}"
        for kind, prompt in family.get("own_prompts", {}).items():
            yield f"  {kind.replace('/', ' with ')} is asked " + (
                repr(prompt) if prompt else "without a text"
            )
