"""Commands on tasks and records: retry, skip, priority, exclude, flag, rate, failures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.quality.languages import LANGUAGES
from engine.utils.errors import BadInput
from engine.utils.plurals import plural
from tui.cli.options import File, force_option, project_argument
from tui.cli.requests import echo, is_readonly, open_project, send_request, warn
from tui.formatting.escape import visible

if TYPE_CHECKING:
    from db.failures import Cause, Grouping
    from engine.project.layout import Project

shard_option = click.option("--shard", "shards", multiple=True, type=int, metavar="N")
model_option = click.option("--model", "models", multiple=True, metavar="NAME")
cause_option = click.option("--cause", metavar="KIND", help="A cause that `failures` lists.")


def task_options(command: Any) -> Any:
    """Add the options that name tasks: those of some shards, of some models, or of both."""
    return shard_option(model_option(command))


@click.command()
@project_argument
@task_options
@click.option("--failed-items", is_flag=True, help="Retry only the failed records.")
@cause_option
@click.option(
    "--bad", metavar="NAMES", help="Retry captions with these defects: loops,refusals,..."
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="With --bad: another seed.")
@click.option("--prompt", metavar="TEXT", help="With --bad: another prompt.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="With --bad: temperature, ..."
)
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    metavar="CODE",
    help="With --bad: the language that captions should have (en).",
)
def retry(
    folder: Path,
    shards: tuple[int, ...],
    models: tuple[str, ...],
    failed_items: bool,
    cause: str | None,
    bad: str | None,
    seed: int | None,
    prompt: str | None,
    settings: tuple[str, ...],
    language: str | None,
) -> None:
    """Caption shards again: those named, else every failed one.

    Existing captions count until they are replaced. --cause retries all that failed for that cause:
    whole shards, or the failed records of shards. The images of failed records are decoded first.
    If none can be read, nothing is retried. --bad retries captions that have a defect, such as
    loops,refusals, once they are sheared; truncated and reasoning are those of the raw text. Each
    of them stays until the model gives one without the defect.
    """
    from engine.operations.failure_causes import find_cause, retry_cause, retry_failed_records
    from engine.project.selectors import select_tasks
    from engine.requests.kinds import Retry

    changes = {"seed": None if seed is None else str(seed), "prompt": prompt}
    changes = {key: value for key, value in changes.items() if value is not None}
    if bad is None and (changes or settings or language):
        raise BadInput("--seed, --prompt, --set and --language need --bad NAMES")
    project = open_project(folder)
    if bad is not None:
        if cause is not None or failed_items:
            raise BadInput(
                "--bad chooses captions: give neither --cause nor --failed-items with it"
            )
        echo(retry_bad(project, bad, changes, settings, models, shards, language or "en"))
        return
    if cause is None:
        tasks = select_tasks(project, shards, models, failed_items)
        if failed_items:
            echo(retry_failed_records(project, tasks))
        else:
            send_request(project, Retry(tasks=tasks))
        return
    if shards or models or failed_items:
        raise BadInput(
            "--cause chooses what to retry: give no --shard, --model or --failed-items with it"
        )
    echo(retry_cause(project, find_cause(project, cause)))


def retry_bad(
    project: Project,
    bad: str,
    changes: dict[str, Any],
    settings: tuple[str, ...],
    models: tuple[str, ...],
    shards: tuple[int, ...],
    language: str,
) -> str:
    """Ask again for captions with defects, and return the answer. Raises `BadInput`."""
    from engine.captioners.setting_changes import parse_assignment
    from engine.operations.bad_captions import ask_again, parse_names

    given = changes | dict(parse_assignment(text) for text in settings)
    return ask_again(project, parse_names(bad), given, models, shards, language)


@click.command()
@project_argument
@task_options
def skip(folder: Path, shards: tuple[int, ...], models: tuple[str, ...]) -> None:
    """Leave pending or failed shards out until `unskip`."""
    from engine.project.selectors import named_tasks
    from engine.requests.kinds import Skip

    project = open_project(folder)
    send_request(project, Skip(tasks=named_tasks(project, shards, models)))


@click.command()
@project_argument
@task_options
def unskip(folder: Path, shards: tuple[int, ...], models: tuple[str, ...]) -> None:
    """Include skipped shards again: those named, else all of them."""
    from engine.project.selectors import named_tasks, skipped_tasks
    from engine.requests.kinds import Skip

    project = open_project(folder)
    named = named_tasks(project, shards, models) if shards or models else skipped_tasks(project)
    send_request(project, Skip(tasks=named, skip=False))


@click.command()
@project_argument
@task_options
@click.option(
    "--by",
    default=1,
    type=click.IntRange(-(2**31), 2**31),
    metavar="N",
    help="Raise the priority by N (1); a negative N lowers it.",
)
def priority(folder: Path, shards: tuple[int, ...], models: tuple[str, ...], by: int) -> None:
    """Have pending shards start sooner or later."""
    from engine.project.selectors import named_tasks
    from engine.requests.kinds import Prioritise

    project = open_project(folder)
    send_request(project, Prioritise(tasks=named_tasks(project, shards, models), by=by))


@click.command()
@project_argument
@cause_option
@click.option("--shard", type=int, metavar="N", help="The shard of --record.")
@click.option(
    "--record",
    "records",
    multiple=True,
    type=int,
    metavar="I",
    help="Index of a record in --shard.",
)
@model_option
@click.option("--undo", is_flag=True, help="Include records again; then `retry`.")
def exclude(
    folder: Path,
    cause: str | None,
    shard: int | None,
    records: tuple[int, ...],
    models: tuple[str, ...],
    undo: bool,
) -> None:
    """Exclude all records that failed for a cause, or single ones.

    Excluded records count as failed, are left out of exports and are not captioned again. A single
    record may also be one that is not captioned yet.
    """
    from engine.operations.failure_causes import (
        exclude_cause,
        exclude_records,
        find_cause,
        select_records,
    )
    from engine.project.log_rows import EXCLUDED_KIND

    project = open_project(folder)
    names_records = shard is not None or records or models
    if shard is not None and records and cause is None:
        chosen = select_records(project, shard, records, models)
        echo(exclude_records(project, chosen, exclude=not undo))
    elif undo and not names_records and cause is None:
        echo(exclude_cause(project, find_cause(project, EXCLUDED_KIND), exclude=False))
    elif cause is not None and not names_records and not undo:
        echo(exclude_cause(project, find_cause(project, cause)))
    else:
        raise BadInput(
            "name the records: --cause KIND, or --shard N with --record I (and --model NAME);"
            " --undo includes these records again, or all of them if it is given alone"
        )


@click.command()
@project_argument
def undo(folder: Path) -> None:
    """Undo the last retry, skip, exclude, flag or rating.

    Called again, it undoes the one before. What a run has changed since then stays as it is.
    """
    from engine.operations.undo_last import undo_last

    echo(undo_last(open_project(folder)))


@click.command()
@project_argument
@click.argument("record_names", nargs=-1, required=True, metavar="SHARD:PLACE...")
@click.option("--model", metavar="NAME", help="Rate the caption of this model bad.")
@click.option("--reason", default="", metavar="TEXT", help="Reason for the rating, with --model.")
@click.option("--undo", is_flag=True, help="Remove the flags.")
def flag(
    folder: Path, record_names: tuple[str, ...], model: str | None, reason: str, undo: bool
) -> None:
    """Flag records for later.

    With --model, rate their captions bad instead, as `rate --bad` does; --model original means the
    original captions. `samples --flagged` lists flagged records. `export --without-flagged` leaves
    them out, and --only-flagged exports nothing else.
    """
    from engine.project.selectors import check_captioner, parse_record_keys
    from engine.requests.kinds import MAX_FLAG_REASON, Flag

    project = open_project(folder)
    if reason and (model is None or undo):
        raise BadInput("--reason says why captions are flagged: give it with --model NAME")
    if len(reason) > MAX_FLAG_REASON:
        raise BadInput(f"a reason has {MAX_FLAG_REASON:,} characters at most, not {len(reason):,}")
    if model is not None:
        check_captioner(project, model)
    records = parse_record_keys(project, record_names)
    send_request(project, Flag(records=records, flagged=not undo, model=model, reason=reason))


@click.command()
@project_argument
@click.argument("record_names", nargs=-1, required=True, metavar="SHARD:PLACE...")
@click.option(
    "--model", required=True, metavar="NAME", help="The model that wrote them, or original."
)
@click.option("--good", is_flag=True, help="Rate the captions good.")
@click.option("--bad", is_flag=True, help="Rate them bad, which flags them.")
@click.option("--undo", is_flag=True, help="Remove the ratings.")
@click.option("--reason", default="", metavar="TEXT", help="Reason for the rating.")
def rate(
    folder: Path,
    record_names: tuple[str, ...],
    model: str,
    good: bool,
    bad: bool,
    undo: bool,
    reason: str,
) -> None:
    """Rate captions of a model good or bad, with a reason.

    `samples --rated good` and `--rated bad` list them, `quality` and `pilot` count them, and
    `export --without-flagged` leaves out the bad ones. A rating counts as long as the model has the
    settings with which it made the caption.
    """
    from engine.project.selectors import check_captioner, parse_record_keys
    from engine.requests.kinds import MAX_FLAG_REASON, Rate

    project = open_project(folder)
    if good + bad + undo != 1:
        raise BadInput("give one rating, --good or --bad, or --undo")
    if reason and undo:
        raise BadInput("--reason says why captions are good or bad: give it with --good or --bad")
    if len(reason) > MAX_FLAG_REASON:
        raise BadInput(f"a reason has {MAX_FLAG_REASON:,} characters at most, not {len(reason):,}")
    check_captioner(project, model)
    records = parse_record_keys(project, record_names)
    rating = None if undo else good
    send_request(project, Rate(records=records, model=model, good=rating, reason=reason))


@click.command()
@project_argument
@click.option(
    "--by",
    type=click.Choice(["cause", "model", "shard"]),
    help="Group failures by cause, model or shard (cause).",
)
@click.option("--csv", "out", type=File, metavar="OUT", help="Write every failure to OUT as CSV.")
@click.option("--images", is_flag=True, help="List each failed image: path, record, reason.")
@force_option
@cause_option
@click.option("--json", "as_json", is_flag=True)
def failures(
    folder: Path,
    by: Grouping | None,
    out: Path | None,
    images: bool,
    force: bool,
    cause: str | None,
    as_json: bool,
) -> None:
    """List what failed, by cause, with a hint what to do about it.

    --images prints one line per failed image, with tabs between the path, the record as
    SHARD:PLACE, and the reason for each model; their number goes to stderr.
    """
    if images and (out is not None or by is not None or as_json):
        raise BadInput(
            "--images prints one line per image: give none of --csv, --by, --json with it"
        )
    if out is not None and (by is not None or as_json):
        raise BadInput("--csv writes one line per failure: give neither --by nor --json with it")
    if force and out is None:
        raise BadInput("--force needs --csv OUT")
    if by is not None and cause is not None:
        raise BadInput(
            "--cause chooses one cause, so that --by has nothing to group: give one of them"
        )
    from engine.operations.failure_causes import find_cause, read_causes
    from engine.operations.failure_report import write_csv
    from tui.cli.output import cause_lines

    project = open_project(folder)
    only = None if cause is None else find_cause(project, cause)
    if out is not None:
        count = write_csv(project, out, only, force, not is_readonly())
        echo(f"{count:,} failures are in {out}")
        return
    causes = read_causes(project, by or "cause") if only is None else (only,)
    if images:
        print_failed_images(project, only, causes)
        return
    if as_json:
        fields = [asdict(each) for each in causes]
        for each in fields:
            del each["error_cause"]  # what reads this output knows the fields of older versions
        click.echo(json.dumps(fields))
        return
    for line in cause_lines(project, causes):
        echo(line)
    if not causes:
        echo("nothing failed")


def print_failed_images(project: Project, cause: Cause | None, causes: Sequence[Cause]) -> None:
    """Print the images that failed for one cause, or for any, and their number on stderr."""
    from engine.operations.damage import telling_damage
    from engine.operations.failure_report import failed_images

    count = 0
    with telling_damage(project, not is_readonly()):
        for failed in failed_images(project, cause):
            columns = (failed.image, f"{failed.shard}:{failed.i}", failed.reason)
            click.echo("\t".join(map(visible, columns)))
            count += 1
    shards = sum(each.count for each in causes if each.scope == "shard")
    more = f"; {plural(shards, 'task')} failed as a whole: see 'failures' without --images"
    warn(f"{plural(count, 'image')} failed{more * bool(shards)}")
