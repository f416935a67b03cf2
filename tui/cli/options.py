"""Arguments and options that several commands take, and the types of paths."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.utils.byte_size import parse_byte_size
from engine.utils.errors import BadInput

if TYPE_CHECKING:
    from engine.datasets.inputs.read_options import Quoting, SeveralCaptions


class NamedPath(click.Path):
    """A path that has a name: an empty one, as of a shell variable that is not set, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty", param, ctx)
        return super().convert(value, param, ctx)


class OutputPath(NamedPath):
    """The path of an output, which is written whole or not at all: never the standard output."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "-":
            self.fail(
                "this cannot be written to the standard output, since an output is written whole or"
                " not at all: name a file (./- for a file with the name -)",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


Folder = NamedPath(file_okay=False, path_type=Path)
"""The type of a parameter that names a folder, which may not exist yet."""
File = NamedPath(path_type=Path)
"""The type of a parameter that names a file or any other path, which may not exist yet."""
Output = OutputPath(path_type=Path)
"""The type of a parameter that names what is written."""


MAX_WORDS = 1_000_000
"""The largest cap on the words of a sheared caption: no caption has so many."""


def check_max_words(_: click.Context, __: click.Parameter, value: int | None) -> int | None:
    """Return the value of an option that caps the words of captions."""
    if value is not None and value > MAX_WORDS:
        raise click.BadParameter(f"{value} is more than {MAX_WORDS:,}")
    return value


def read_byte_size(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Return the value of an option that is a size in bytes, such as 500M or 2GB."""
    try:
        return None if value is None else parse_byte_size(value)
    except BadInput as error:
        raise click.BadParameter(str(error)) from error


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
    help="Replace the prefix OLD of image paths by NEW; may be given several times.",
)
force_option = click.option("--force", is_flag=True, help="Replace an existing file.")
project_argument = click.argument("folder", metavar="PROJECT", type=Folder)


IMAGE_COLUMN = click.option(
    "--image-column",
    metavar="NAME",
    help="The column or key of image paths (image, filepath, file_name, path, ...).",
)
CAPTION_COLUMN = click.option(
    "--caption-column",
    metavar="NAME",
    help="The column or key of captions (caption, title, text, caption_0, conversations, ...).",
)
QUOTING = click.option(
    "--quoting",
    type=click.Choice(("auto", "csv", "none")),
    default="auto",
    help="How quotation marks in CSV and TSV are read. csv: they enclose cells. auto: the same, but"
    " a cell that seems to hold several rows is refused. none: they are part of the text.",
)
SEVERAL_CAPTIONS = click.option(
    "--several-captions",
    type=click.Choice(("first", "each")),
    default="first",
    help="For an image with several captions: one record with the first, or one for each caption.",
)


def column_options(command: Any) -> Any:
    """Add the options that name columns and keys."""
    return IMAGE_COLUMN(CAPTION_COLUMN(command))


def read_options(command: Any) -> Any:
    """Add the options that say how inputs are read; the command gets them as `options`."""

    @wraps(command)
    def with_options(
        *args: Any,
        image_column: str | None,
        caption_column: str | None,
        quoting: Quoting,
        several_captions: SeveralCaptions,
        **others: Any,
    ) -> Any:
        from engine.datasets.inputs.read_options import ReadOptions

        options = ReadOptions(
            image_column=image_column,
            caption_column=caption_column,
            quoting=quoting,
            several_captions=several_captions,
        )
        return command(*args, options=options, **others)

    return IMAGE_COLUMN(CAPTION_COLUMN(QUOTING(SEVERAL_CAPTIONS(with_options))))


skip_bad_option = click.option(
    "--skip-bad", is_flag=True, help="Leave out records that cannot be read."
)


def encode_options(command: Any) -> Any:
    """Add the options that say how images are written."""
    for option in (
        click.option(
            "--max-side",
            type=click.IntRange(min=1),
            metavar="N",
            help="Longest side in pixels, with --encode.",
        ),
        click.option(
            "--encode", metavar="F", help="Encode images as jpg or webp; with a quality: jpg:90."
        ),
    ):
        command = option(command)
    return command
