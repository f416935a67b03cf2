"""Commands on tasks and records: retry, skip, priority, exclude, flag, rate, failures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.quality.languages import LANGUAGES
from engine.utils.errors import BadInput
from tui.cli.options import File, force_option, project_argument
from tui.cli.requests import echo, is_readonly, open_project, send_request

if TYPE_CHECKING:
    from db.failures import Grouping
    from engine.project.layout import Project

shard_option = click.option("--shard", "shards", multiple=True, type=int, metavar="N")
model_option = click.option("--model", "models", multiple=True, metavar="NAME")
cause_option = click.option("--cause", metavar="KIND", help="As `failures` calls it.")


def task_options(command: Any) -> Any:
    """Add the options that name tasks: those of some shards, of some models, or of both."""
    return shard_option(model_option(command))


@click.command()
@project_argument
@task_options
@click.option("--failed-items", is_flag=True, help="Only the failed records.")
@cause_option
@click.option("--bad", metavar="NAMES", help="Captions with loops, refusals, ... (`quality`).")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="With --bad: another seed.")
@click.option("--prompt", metavar="TEXT", help="With --bad: another prompt.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="With --bad: temperature, ..."
)
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    metavar="CODE",
    help="With --bad: what was asked for (en).",
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
    """Do shards again: those named, else every failed one; captions stay until replaced.

    With --cause all that failed for it: whole shards, or the failed records of those it struck.
    The images of failed records are decoded first: where none can be read, nothing is retried.
    With --bad the captions that have a defect, such as loops,refusals: each stays until one without
    it comes.
    """
    from engine.operations.failure_causes import find_cause, retry_cause, retry_failed_records
    from engine.project.selectors import select_tasks
    from engine.requests.kinds import Retry

    changes = {"seed": None if seed is None else str(seed), "prompt": prompt}
    changes = {key: value for key, value in changes.items() if value is not None}
    if bad is None and (changes or settings or language):
        raise BadInput("--seed, --prompt, --set and --language go with --bad NAMES")
    project = open_project(folder)
    if bad is not None:
        if cause is not None or failed_items:
            raise BadInput("--bad says which: give neither --cause nor --failed-items with it")
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
        raise BadInput("--cause says which: give it alone")
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
    """Leave shards out that wait or have failed, until `unskip`."""
    from engine.project.selectors import named_tasks
    from engine.requests.kinds import Skip

    project = open_project(folder)
    send_request(project, Skip(tasks=named_tasks(project, shards, models)))


@click.command()
@project_argument
@task_options
def unskip(folder: Path, shards: tuple[int, ...], models: tuple[str, ...]) -> None:
    """Take skipped shards back in: those named, else all of them."""
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
    help="Raise it by N (1); below 0 starts later.",
)
def priority(folder: Path, shards: tuple[int, ...], models: tuple[str, ...], by: int) -> None:
    """Have shards that wait start sooner, or later."""
    from engine.project.selectors import named_tasks
    from engine.requests.kinds import Prioritise

    project = open_project(folder)
    send_request(project, Prioritise(tasks=named_tasks(project, shards, models), by=by))


@click.command()
@project_argument
@cause_option
@click.option("--shard", type=int, metavar="N", help="With --record: of this shard.")
@click.option("--record", "records", multiple=True, type=int, metavar="I", help="Its place there.")
@model_option
@click.option("--undo", is_flag=True, help="Take back in; then `retry`.")
def exclude(
    folder: Path,
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
            "say which: --cause KIND, or --shard N with --record I (and --model NAME);"
            " --undo takes these records, or alone all of them, back in"
        )


@click.command()
@project_argument
def undo(folder: Path) -> None:
    """Undo the last retry, skip, exclude, flag or rating; again: the one before.

    What a run has gone on with since stays as it is.
    """
    from engine.operations.undo_last import undo_last

    echo(undo_last(open_project(folder)))


@click.command()
@project_argument
@click.argument("record_names", nargs=-1, required=True, metavar="SHARD:PLACE...")
@click.option("--model", metavar="NAME", help="Of these records the caption of this model alone.")
@click.option("--reason", default="", metavar="TEXT", help="Why, with --model.")
@click.option("--undo", is_flag=True, help="Take the flags away.")
def flag(
    folder: Path, record_names: tuple[str, ...], model: str | None, reason: str, undo: bool
) -> None:
    """Mark records for later; with --model, rate captions of them bad, as `rate --bad` does.

    `samples --flagged` lists them, `export --without-flagged` omits them, --only-flagged takes
    nothing else. --model original means the original captions.
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
@click.option("--model", required=True, metavar="NAME", help="Whose captions; or original.")
@click.option("--good", "rating", flag_value="good", help="They are good.")
@click.option("--bad", "rating", flag_value="bad", help="They are bad, and flagged thereby.")
@click.option("--undo", "rating", flag_value="undo", help="Take the ratings away.")
@click.option("--reason", default="", metavar="TEXT", help="Why.")
def rate(
    folder: Path, record_names: tuple[str, ...], model: str, rating: str | None, reason: str
) -> None:
    """Call captions of a model good or bad, for a reason.

    `samples --rated good` and `--rated bad` list them, `quality` and `pilot` count them, and
    `export --without-flagged` omits the bad ones. A rating counts while the model has the settings
    with which it made the caption.
    """
    from engine.project.selectors import check_captioner, parse_record_keys
    from engine.requests.kinds import MAX_FLAG_REASON, Rate

    project = open_project(folder)
    if rating is None:
        raise BadInput("say what they are: --good or --bad; or --undo")
    if reason and rating == "undo":
        raise BadInput("--reason says why captions are good or bad: give it with --good or --bad")
    if len(reason) > MAX_FLAG_REASON:
        raise BadInput(f"a reason has {MAX_FLAG_REASON:,} characters at most, not {len(reason):,}")
    check_captioner(project, model)
    records = parse_record_keys(project, record_names)
    good = {"good": True, "bad": False, "undo": None}[rating]
    send_request(project, Rate(records=records, model=model, good=good, reason=reason))


@click.command()
@project_argument
@click.option("--by", type=click.Choice(["cause", "model", "shard"]), help="cause (the default).")
@click.option("--csv", "out", type=File, metavar="OUT", help="Write every one of them as CSV.")
@force_option
@cause_option
@click.option("--json", "as_json", is_flag=True)
def failures(
    folder: Path,
    by: Grouping | None,
    out: Path | None,
    force: bool,
    cause: str | None,
    as_json: bool,
) -> None:
    """What failed, by cause, with a hint what to do about it."""
    if out is not None and (by is not None or as_json):
        raise BadInput("--csv writes a line a failure: give neither --by nor --json with it")
    if force and out is None:
        raise BadInput("--force goes with --csv OUT")
    if by is not None and cause is not None:
        raise BadInput("--cause chooses one cause: there is nothing to group --by")
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
