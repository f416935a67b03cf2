"""Commands that make a project and change its models."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from db.rows import SHEAR_MODES, ShearMode
from engine.utils.errors import BadInput
from engine.utils.plurals import plural
from tui.cli.imports import parse_imports
from tui.cli.options import (
    File,
    check_max_words,
    path_map_option,
    project_argument,
    read_options,
    skip_bad_option,
)
from tui.cli.requests import echo, open_project, send_request, warn

if TYPE_CHECKING:
    from engine.datasets.inputs.read_options import ReadOptions
    from engine.operations.imports.caption_import import CaptionImport


@click.command()
@project_argument
@click.argument("captions", type=File, nargs=-1)
@click.option(
    "--image-root", type=File, help="Folder where image paths start (that of the captions)."
)
@path_map_option
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME[=[FAMILY:]CHECKPOINT]",
    help="A model of a family that `models` lists; may be given several times.",
)
@click.option(
    "--import",
    "imports",
    multiple=True,
    metavar="NAME=FILE",
    callback=parse_imports,
    help="Import existing captions as those of the model NAME; may be given several times. Without"
    " CAPTIONS, the records are the images of these files.",
)
@click.option("--preset", metavar="NAME", help="Preset of settings: paper or official (paper).")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="MODEL.KEY=VALUE",
    help="Change a setting of a model; may be given several times.",
)
@click.option("--shear-mode", type=click.Choice(SHEAR_MODES), help="Shearing method (paper).")
@click.option(
    "--shear-max-words",
    type=click.IntRange(min=1),
    metavar="N",
    callback=check_max_words,
    help="Cut sheared captions to N words.",
)
@click.option("--shard-size", type=click.IntRange(min=1), help="Records per shard (10,000).")
@click.option("--shards", type=click.IntRange(min=1), help="Cut into this many equal shards.")
@click.option("--allow-outside", is_flag=True, help="Permit image paths outside the image root.")
@click.option(
    "--allow-missing", is_flag=True, help="Make the project although no image exists yet."
)
@read_options
@click.option("--check-images", is_flag=True, help="Decode every image first, not a sample only.")
@skip_bad_option
def new(
    folder: Path,
    captions: tuple[Path, ...],
    image_root: Path | None,
    path_map: tuple[tuple[str, str], ...],
    models: tuple[str, ...],
    imports: tuple[CaptionImport, ...],
    preset: str | None,
    settings: tuple[str, ...],
    shear_mode: ShearMode | None,
    shear_max_words: int | None,
    shard_size: int | None,
    shards: int | None,
    allow_outside: bool,
    allow_missing: bool,
    options: ReadOptions,
    check_images: bool,
    skip_bad: bool,
) -> None:
    """Make a project from a data set of images and captions.

    CAPTIONS are JSON, JSON Lines, CSV, TSV, Parquet, folders or WebDataset tars. JSON may be
    COCO's, Karpathy's, LLaVA's, messages or {path: caption}; docs/inputs.md lists all layouts.
    """
    from engine.captioners.registry import choose_all
    from engine.operations.imports.caption_import import ImportProgress
    from engine.operations.new_project import NewProject, create
    from engine.shearing.shear import Shearing
    from tui.cli.progress_bars import record_counter, step_bar
    from tui.formatting.created_lines import created_lines
    from tui.formatting.report_lines import captions_line

    if shard_size is not None and shards is not None:
        raise BadInput("give --shard-size or --shards, not both")
    choices = choose_all(models, preset, settings)
    new_project = NewProject(
        captions=captions,
        models=choices,
        imports=[replace(each, skip_bad=skip_bad) for each in imports],
        image_root=image_root,
        path_map=path_map,
        shard_size=shard_size,
        shards=shards,
        allow_outside=allow_outside,
        allow_missing=allow_missing,
        options=options,
        check_images=check_images,
        skip_bad=skip_bad,
        shearing=Shearing(shear_mode or SHEAR_MODES[0], shear_max_words),
    )
    with (
        record_counter("reading records") as progress,
        step_bar("checking images") as checking,
        record_counter("importing captions") if imports else nullcontext() as importing,
    ):
        on_import = ImportProgress() if importing is None else ImportProgress(importing)
        created = create(folder, new_project, progress, checking, on_import)
    echo(
        f"{folder}: {plural(created.records, 'record')} in {plural(created.shards, 'shard')},"
        f" {plural(len({*(it.name for it in choices), *(it.name for it in imports)}), 'model')}"
    )
    if created.report.records:
        echo(captions_line(created.report))
    for result in created.imports:
        for line in result.lines():
            echo(line)
    for line in created_lines(created):
        warn(line)
    warn_file_system(created.project.folder)


def warn_file_system(folder: Path) -> None:
    """Warn if the project lies on a network file system, where SQLite is at risk."""
    from engine.operations.doctor import network_file_system

    kind = network_file_system(folder)
    if kind:
        warn(
            f"{folder} lies on {kind}: SQLite's locks are unsafe on some network file systems;"
            " a local disk is better for the project (images may stay where they are)"
        )


@click.command("set")
@project_argument
@click.argument("model")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE...")
def set_model(folder: Path, model: str, changes: tuple[str, ...]) -> None:
    """Change settings of MODEL, such as prompt, batch or seed.

    If a setting changes what the model says, its tasks begin anew in another folder. The captions
    made so far stay on disk. The project must not be running.
    """
    from engine.captioners.setting_changes import parse_assignment
    from engine.requests.kinds import Configure
    from engine.requests.models import restarts_tasks

    project = open_project(folder)
    parsed_changes = dict(parse_assignment(text) for text in changes)
    restarts_tasks(project, model, parsed_changes)
    send_request(project, Configure(model=model, changes=parsed_changes))


@click.command("add-model")
@project_argument
@click.argument("model", metavar="NAME[=[FAMILY:]CHECKPOINT]")
@click.argument("changes", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--preset", metavar="NAME", help="Preset of settings: paper or official (paper).")
def add_model(folder: Path, model: str, changes: tuple[str, ...], preset: str | None) -> None:
    """Add a model to the project.

    KEY=VALUE are settings as `set` takes them. The project must not be running.
    """
    from engine.captioners.setting_changes import parse_assignment
    from engine.requests.kinds import AddModel
    from engine.requests.models import choose_new

    project = open_project(folder)
    choice = choose_new(project, model, preset, dict(parse_assignment(text) for text in changes))
    send_request(project, AddModel(choice=choice))
