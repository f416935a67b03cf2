"""What is done with single shards and records."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.utils.errors import BadInput
from tui.cli.options import File, project_argument
from tui.cli.requests import answer, opened, say

if TYPE_CHECKING:
    from db.failures import Grouping

shard_option = click.option("--shard", "shards", multiple=True, type=int, metavar="N")
model_option = click.option("--model", "models", multiple=True, metavar="NAME")
cause_option = click.option("--cause", metavar="KIND", help="As `failures` calls it.")


def which(command: Any) -> Any:
    """Which tasks: of these shards, of these models, or both."""
    return shard_option(model_option(command))


@click.command()
@project_argument
@which
@click.option("--failed-items", is_flag=True, help="Only the failed records.")
@cause_option
def retry(
    project: Path,
    shards: tuple[int, ...],
    models: tuple[str, ...],
    failed_items: bool,
    cause: str | None,
) -> None:
    """Do shards again: those named, else every failed one; captions stay until replaced.

    With --cause all that failed for it: whole shards, or the failed records of those it struck.
    """
    from engine.operations.failure_causes import cause_named, retry_cause
    from engine.project.selectors import select_tasks

    found = opened(project)
    if cause is None:
        tasks = select_tasks(found, shards, models, failed_items)
        answer(found, "retry", tasks=tasks, failed_items=failed_items)
        return
    if shards or models or failed_items:
        raise BadInput("--cause says which: give it alone")
    say(retry_cause(found, cause_named(found, cause)))


@click.command()
@project_argument
@which
def skip(project: Path, shards: tuple[int, ...], models: tuple[str, ...]) -> None:
    """Leave shards out that wait or have failed, until `unskip`."""
    from engine.project.selectors import named_tasks

    found = opened(project)
    answer(found, "skip", tasks=named_tasks(found, shards, models), skip=True)


@click.command()
@project_argument
@which
def unskip(project: Path, shards: tuple[int, ...], models: tuple[str, ...]) -> None:
    """Take skipped shards back in: those named, else all of them."""
    from engine.project.selectors import named_tasks, skipped_tasks

    found = opened(project)
    named = named_tasks(found, shards, models) if shards or models else skipped_tasks(found)
    answer(found, "skip", tasks=named, skip=False)


@click.command()
@project_argument
@which
@click.option("--by", default=1, metavar="N", help="Raise it by N (1); below 0 starts later.")
def priority(project: Path, shards: tuple[int, ...], models: tuple[str, ...], by: int) -> None:
    """Have shards that wait start sooner, or later."""
    from engine.project.selectors import named_tasks

    found = opened(project)
    answer(found, "priority", tasks=named_tasks(found, shards, models), by=by)


@click.command()
@project_argument
@cause_option
@click.option("--shard", type=int, metavar="N", help="With --record: of this shard.")
@click.option("--record", "records", multiple=True, type=int, metavar="I", help="Its place there.")
@model_option
@click.option("--undo", is_flag=True, help="Take back in; then `retry`.")
def exclude(
    project: Path,
    cause: str | None,
    shard: int | None,
    records: tuple[int, ...],
    models: tuple[str, ...],
    undo: bool,
) -> None:
    """Give up on records: all that failed for a cause, or single ones, failed or not yet captioned.

    They count as failed, are left out of exports and are not asked for again.
    """
    from engine.operations.failure_causes import (
        cause_named,
        exclude_cause,
        exclude_records,
        records_named,
    )
    from engine.project.caption_log import EXCLUDED_KIND

    found = opened(project)
    single = shard is not None or records or models
    if shard is not None and records and cause is None:
        chosen = records_named(found, shard, records, models)
        say(exclude_records(found, chosen, exclude=not undo))
    elif undo and not single and cause is None:
        say(exclude_cause(found, cause_named(found, EXCLUDED_KIND), exclude=False))
    elif cause is not None and not single and not undo:
        say(exclude_cause(found, cause_named(found, cause)))
    else:
        raise BadInput(
            "say which: --cause KIND, or --shard N with --record I (and --model NAME);"
            " --undo takes these records, or alone all of them, back in"
        )


@click.command()
@project_argument
@click.argument("places", nargs=-1, required=True, metavar="SHARD:PLACE...")
@click.option("--undo", is_flag=True, help="Take the flags away.")
def flag(project: Path, places: tuple[str, ...], undo: bool) -> None:
    """Mark records for later: `samples --flagged` lists, `export --without-flagged` omits them."""
    from engine.project.selectors import places_named

    found = opened(project)
    answer(found, "flag", places=places_named(found, places), flagged=not undo)


@click.command()
@project_argument
@click.option("--by", type=click.Choice(["cause", "model", "shard"]), default="cause")
@click.option("--csv", "out", type=File, metavar="OUT", help="Write every one of them as CSV.")
@cause_option
@click.option("--json", "as_json", is_flag=True)
def failures(
    project: Path, by: Grouping, out: Path | None, cause: str | None, as_json: bool
) -> None:
    """What failed, by cause, with a hint what to do about it."""
    from engine.operations.failure_causes import cause_named, causes_of
    from engine.operations.failure_report import write_csv
    from tui.cli.output import cause_lines

    found = opened(project)
    only = None if cause is None else cause_named(found, cause)
    if out is not None:
        say(f"{write_csv(found, out, only):,} failures are in {out}")
        return
    causes = causes_of(found, by) if only is None else (only,)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in causes]))
        return
    for line in cause_lines(found, causes):
        say(line)
    if not causes:
        say("nothing failed")
