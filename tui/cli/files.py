"""Commands on caption files without a project: split, merge and paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.utils.plurals import plural
from tui.cli.options import (
    File,
    Folder,
    force_option,
    path_map_option,
    read_options,
    skip_bad_option,
)
from tui.cli.requests import echo, warn

if TYPE_CHECKING:
    from engine.datasets.inputs.read_options import ReadOptions

image_root_option = click.option(
    "--image-root", metavar="NEW", help="Put NEW before relative image paths, after --path-map."
)
check_option = click.option(
    "--check",
    is_flag=True,
    help="Say how many images exist, and name the first that are missing. Relative paths start at"
    " the folder of their file.",
)


@contextmanager
def naming_skip_bad() -> Iterator[None]:
    """Have the error of a record that cannot be read name the option that leaves it out."""
    from engine.datasets.inputs.input_report import BadRecord
    from engine.utils.errors import BadInput

    try:
        yield
    except BadRecord as error:
        raise BadInput(f"{error}; --skip-bad leaves out what cannot be read") from error


@click.command()
@click.argument("captions", type=File)
@click.argument("outdir", type=Folder)
@click.option("--shards", type=click.IntRange(min=1), required=True, metavar="N")
@read_options
@skip_bad_option
def split(captions: Path, outdir: Path, shards: int, options: ReadOptions, skip_bad: bool) -> None:
    """Split CAPTIONS into N JSON arrays of nearly equal size."""
    from engine.datasets import split_merge
    from engine.datasets.inputs.input_report import InputReport
    from engine.datasets.inputs.open_input import InputSource
    from tui.cli.progress_bars import record_counter
    from tui.formatting.report_lines import report_lines

    report = InputReport(skip_bad=skip_bad)
    with naming_skip_bad(), record_counter("reading records") as progress:
        source = InputSource(path=captions, root=captions.parent, options=options)
        parts = split_merge.split(source, outdir, shards, progress, report)
    echo(f"{outdir}: {len(parts):,} parts, {parts[0].name} to {parts[-1].name}")
    for line in report_lines(report):
        warn(line)


@click.command()
@click.argument("out", type=File)
@click.argument("captions", type=File, nargs=-1, required=True)
@path_map_option
@image_root_option
@check_option
@read_options
@skip_bad_option
@force_option
def merge(
    out: Path,
    captions: tuple[Path, ...],
    path_map: tuple[tuple[str, str], ...],
    image_root: str | None,
    check: bool,
    options: ReadOptions,
    skip_bad: bool,
    force: bool,
) -> None:
    """Merge the records of all CAPTIONS into one JSON array."""
    if path_map or image_root is not None or check:
        rewrite(out, captions, path_map, image_root, check, options, skip_bad, force)
        return
    from engine.datasets import split_merge
    from engine.datasets.inputs.input_report import InputReport
    from engine.datasets.inputs.open_input import InputSource
    from tui.cli.progress_bars import merge_counters
    from tui.formatting.report_lines import report_lines

    report = InputReport(skip_bad=skip_bad)
    sources = [InputSource(path=path, root=path.parent, options=options) for path in captions]
    with naming_skip_bad(), merge_counters() as (reading, writing):
        count = split_merge.merge(sources, out, reading, writing, force, report)
    echo(f"{out}: {plural(count, 'record')} of {plural(len(captions), 'file')}")
    for line in report_lines(report):
        warn(line)


@click.command()
@click.argument("captions", type=File)
@click.argument("out", type=File, required=False)
@path_map_option
@image_root_option
@check_option
@read_options
@skip_bad_option
@force_option
def paths(
    captions: Path,
    out: Path | None,
    path_map: tuple[tuple[str, str], ...],
    image_root: str | None,
    check: bool,
    options: ReadOptions,
    skip_bad: bool,
    force: bool,
) -> None:
    """Write CAPTIONS with other image paths to OUT.

    OUT is one JSON array. Without OUT, the command only checks that the images exist.
    """
    rewrite(out, (captions,), path_map, image_root, check, options, skip_bad, force)


def rewrite(
    out: Path | None,
    captions: tuple[Path, ...],
    path_map: tuple[tuple[str, str], ...],
    image_root: str | None,
    check: bool,
    options: ReadOptions,
    skip_bad: bool,
    force: bool,
) -> None:
    """Write the records of all files with other image paths to one file, or only look for them."""
    from engine.datasets.inputs.input_report import InputReport
    from engine.datasets.inputs.open_input import InputSource
    from engine.datasets.path_rules import PathRules
    from engine.datasets.rewritten_paths import check_paths, merge_rewritten
    from tui.cli.progress_bars import merge_counters
    from tui.formatting.report_lines import report_lines

    rules, report = PathRules(path_map, image_root), InputReport(skip_bad=skip_bad)
    sources = [InputSource(path=path, root=path.parent, options=options) for path in captions]
    with naming_skip_bad(), merge_counters() as (reading, writing):
        if out is None:
            found = check_paths(sources, rules, report, reading)
        else:
            found = merge_rewritten(
                sources, out, rules, check, report, reading, writing, force=force
            )
    counted = f"{plural(report.records, 'record')} of {plural(len(captions), 'file')}"
    if out is not None:
        echo(f"{out}: {counted}, {found.changed:,} with another image path")
    if check or out is None:
        echo(found.check_text())
    for line in report_lines(report):
        warn(line)
