"""The command that imports captions which were made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import (
    QUOTING,
    File,
    column_options,
    force_option,
    path_map_option,
    project_argument,
    skip_bad_option,
)
from tui.cli.requests import echo, open_project

if TYPE_CHECKING:
    from engine.datasets.inputs.read_options import Quoting


@click.command("import")
@project_argument
@click.argument("model", metavar="NAME[=[FAMILY:]CHECKPOINT]")
@click.argument("files", type=File, nargs=-1, required=True)
@path_map_option
@click.option("--replace", is_flag=True, help="Replace captions that exist already.")
@click.option(
    "--which",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Take the Nth of several captions of one image in a file (1).",
)
@column_options
@QUOTING
@skip_bad_option
@click.option("--preset", metavar="NAME", help="Preset of a new model with a checkpoint.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Setting of a new model with a checkpoint.",
)
@click.option(
    "--list", "listing", type=File, metavar="OUT", help="List in OUT all that is left out."
)
@force_option
def import_captions(
    folder: Path,
    model: str,
    files: tuple[Path, ...],
    path_map: tuple[tuple[str, str], ...],
    replace: bool,
    which: int,
    image_column: str | None,
    caption_column: str | None,
    quoting: Quoting,
    skip_bad: bool,
    preset: str | None,
    settings: tuple[str, ...],
    listing: Path | None,
    force: bool,
) -> None:
    """Import existing captions as those of a model.

    Each caption goes to the record of its image. NAME is a model of PROJECT or a new one. A later
    run captions the records that lack a caption if the model has a checkpoint. FILES have any
    format that `new` reads; they may be incomplete at their end. The project must not be running.
    """
    from engine.captioners.registry import choose
    from engine.captioners.setting_changes import parse_assignment
    from engine.datasets.inputs.read_options import ReadOptions
    from engine.operations.imports.caption_import import CaptionImport, ImportProgress
    from engine.operations.imports.caption_import import import_captions as import_into
    from engine.utils.errors import BadInput
    from tui.cli.progress_bars import record_counter, step_bar

    project = open_project(folder)
    choice = None
    if "=" in model:
        changes = dict(parse_assignment(text) for text in settings)
        choice = choose(model, preset, changes)
    elif preset is not None or settings:
        raise BadInput("--preset and --set are for a new model with a checkpoint: NAME=CHECKPOINT")
    request = CaptionImport(
        name=model.partition("=")[0],
        files=files,
        choice=choice,
        path_map=path_map,
        replace=replace,
        which=which,
        options=ReadOptions(
            image_column=image_column,
            caption_column=caption_column,
            quoting=quoting,
            several_captions="each",
        ),
        skip_bad=skip_bad,
        listing=listing,
        force=force,
    )
    with record_counter("reading captions") as reading, step_bar("writing shards") as writing:
        result = import_into(project, request, ImportProgress(reading, writing))
    for line in result.lines():
        echo(line)


def parse_imports(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> Any:
    """Return the values of `--import` as imports: files of one name, in order, are one."""
    if not values:
        return ()
    from engine.operations.imports.caption_import import group_imports

    pairs = []
    for text in values:
        name, equals, file = text.partition("=")
        if not name or not equals or not file:
            raise click.BadParameter(f"{text!r}: write NAME=FILE")
        pairs.append((name, Path(file)))
    return group_imports(pairs)
