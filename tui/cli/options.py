"""Arguments and options that several commands take, and the types of paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class NamedPath(click.Path):
    """A path that has a name: an empty one, as of a shell variable that is not set, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty", param, ctx)
        return super().convert(value, param, ctx)


Folder = NamedPath(file_okay=False, path_type=Path)
"""The type of a parameter that names a folder, which may not exist yet."""
File = NamedPath(path_type=Path)
"""The type of a parameter that names a file or any other path, which may not exist yet."""


MAX_WORDS = 1_000_000
"""The largest cap on the words of a sheared caption: no caption has so many."""


def check_max_words(_: click.Context, __: click.Parameter, value: int | None) -> int | None:
    """Return the value of an option that caps the words of captions."""
    if value is not None and value > MAX_WORDS:
        raise click.BadParameter(f"{value} is more than {MAX_WORDS:,}")
    return value


def parse_path_maps(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> Any:
    """Return the values of `--path-map` as pairs of old and new beginning."""
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
    callback=parse_path_maps,
    help="Replace this beginning of image paths; may be given several times.",
)
force_option = click.option("--force", is_flag=True, help="Replace a file that is there.")
project_argument = click.argument("folder", metavar="PROJECT", type=Folder)


def column_options(command: Any) -> Any:
    """Add the options that name the columns of CSV, TSV and Parquet input."""
    for option in (
        click.option("--caption-column", metavar="NAME", help="Default: caption, title or text."),
        click.option("--image-column", metavar="NAME", help="Default: image, filepath, ..."),
    ):
        command = option(command)
    return command
