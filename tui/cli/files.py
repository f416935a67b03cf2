"""Commands on caption files without a project: split and merge."""

from __future__ import annotations

from pathlib import Path

import click

from engine.utils.plurals import plural
from tui.cli.options import File, Folder, column_options, force_option
from tui.cli.requests import echo


@click.command()
@click.argument("captions", type=File)
@click.argument("outdir", type=Folder)
@click.option("--shards", type=click.IntRange(min=1), required=True, metavar="N")
@column_options
def split(
    captions: Path,
    outdir: Path,
    shards: int,
    image_column: str | None,
    caption_column: str | None,
) -> None:
    """Cut CAPTIONS into N JSON arrays of nearly equal size in OUTDIR."""
    from engine.datasets import split_merge
    from engine.datasets.inputs.open_input import InputSource
    from engine.datasets.inputs.read_options import ReadOptions
    from tui.cli.progress_bars import record_counter

    with record_counter("reading records") as progress:
        source = InputSource(
            path=captions,
            root=captions.parent,
            options=ReadOptions(image_column=image_column, caption_column=caption_column),
        )
        parts = split_merge.split(source, outdir, shards, progress)
    echo(f"{outdir}: {len(parts):,} parts, {parts[0].name} to {parts[-1].name}")


@click.command()
@click.argument("out", type=File)
@click.argument("captions", type=File, nargs=-1, required=True)
@column_options
@force_option
def merge(
    out: Path,
    captions: tuple[Path, ...],
    image_column: str | None,
    caption_column: str | None,
    force: bool,
) -> None:
    """Write the records of all CAPTIONS, in this order, as one JSON array."""
    from engine.datasets import split_merge
    from engine.datasets.inputs.open_input import InputSource
    from engine.datasets.inputs.read_options import ReadOptions
    from tui.cli.progress_bars import merge_counters

    options = ReadOptions(image_column=image_column, caption_column=caption_column)
    sources = [InputSource(path=path, root=path.parent, options=options) for path in captions]
    with merge_counters() as (reading, writing):
        count = split_merge.merge(sources, out, reading, writing, force)
    echo(f"{out}: {plural(count, 'record')} of {plural(len(captions), 'file')}")
