"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

Folder = click.Path(file_okay=False, path_type=Path)
File = click.Path(path_type=Path)


def path_maps(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> Any:
    pairs = []
    for value in values:
        old, equals, new = value.partition("=")
        if not equals or not old:
            raise click.BadParameter(f"{value!r}: write OLD=NEW")
        pairs.append((old, new))
    return tuple(pairs)


path_map_option = click.option(
    "--path-map",
    multiple=True,
    metavar="OLD=NEW",
    callback=path_maps,
    help="Replace this beginning of image paths; may be given several times.",
)
project_argument = click.argument("project", type=Folder)


def column_options(command: Any) -> Any:
    """For inputs with named columns: CSV, TSV, Parquet."""
    for option in (
        click.option("--caption-column", metavar="NAME", help="Default: caption, title or text."),
        click.option("--image-column", metavar="NAME", help="Default: image, filepath, ..."),
    ):
        command = option(command)
    return command
