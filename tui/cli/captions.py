"""The captions: looked at, sheared again, written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from db.rows import SHEAR_MODES, ShearMode
from engine.datasets.exports.formats import FORMATS, Images
from tui.cli.options import File, path_map_option, project_argument
from tui.cli.requests import EXIT_UNFINISHED, opened, say, warn

SAMPLES = 8


@click.command()
@project_argument
@click.option("--model", "models", multiple=True, metavar="NAME")
@click.option("--count", type=click.IntRange(min=1), help="Images (8; flagged ones: all).")
@click.option("--flagged", is_flag=True, help="The records that were flagged.")
@click.option("--json", "as_json", is_flag=True)
def samples(
    project: Path, models: tuple[str, ...], count: int | None, flagged: bool, as_json: bool
) -> None:
    """Captions before and after shearing, of images spread over what is done."""
    from engine.operations.records import flagged_samples, read_samples
    from tui.cli.output import sample_lines

    if flagged:
        found = flagged_samples(opened(project), models)[:count]
    else:
        found = read_samples(opened(project), count or SAMPLES, models)
    if as_json:
        click.echo(json.dumps([sample.as_dict() for sample in found]))
        return
    for sample in found:
        for line in sample_lines(sample):
            say(line)
    if not found:
        say("nothing is flagged" if flagged else "nothing is captioned yet")


@click.command()
@project_argument
@click.option("--model", "models", multiple=True, metavar="NAME")
@click.option("--images", default=64, type=click.IntRange(min=1), help="The first N (64).")
@click.option("--devices", default="auto", help="auto, cpu, cpu:N or GPU numbers: 0,1")
@click.option("--json", "as_json", is_flag=True)
def pilot(project: Path, models: tuple[str, ...], images: int, devices: str, as_json: bool) -> None:
    """The first images through every model: captions side by side, speed, time for all of it.

    Nothing of the project changes. Not while it runs: the run has the devices.
    """
    from engine.operations.pilot import plan, run_pilot
    from engine.operations.run_control import refuse_running
    from tui.cli.pilot_output import as_dict, show
    from tui.cli.progress_bars import piloting

    found = opened(project)
    refuse_running(found, "try the models")
    flight = plan(found, devices, images, models)
    with piloting(len(flight.records)) as told:
        findings = run_pilot(flight, told)
    if as_json:
        click.echo(json.dumps(as_dict(findings)))
    else:
        show(findings)
    if findings.troubles:
        sys.exit(EXIT_UNFINISHED)


@click.command()
@project_argument
@click.argument("out", type=File)
@click.option("--format", "form", default="json", metavar="F", help=f"{', '.join(FORMATS)} (json).")
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only these models.")
@click.option("--with-original", is_flag=True, help="The original caption first.")
@click.option("--image-root", metavar="NEW", help="Put before relative image paths.")
@path_map_option
@click.option("--allow-partial", is_flag=True, help="Although tasks are not done.")
@click.option("--min-words", default=0, type=click.IntRange(min=0), help="Leave out shorter ones.")
@click.option("--only-finished", is_flag=True, help="Leave out sentences that the token cap cut.")
@click.option("--provenance", is_flag=True, help="Model, checkpoint, prompt, seed and finish.")
@click.option("--images", type=click.Choice(["copy", "link", "none"]), help="For wds and hf.")
@click.option("--without-flagged", is_flag=True, help="Leave out records that were flagged.")
def export(
    project: Path,
    out: Path,
    form: str,
    models: tuple[str, ...],
    with_original: bool,
    image_root: str | None,
    path_map: tuple[tuple[str, str], ...],
    allow_partial: bool,
    min_words: int,
    only_finished: bool,
    provenance: bool,
    images: Images | None,
    without_flagged: bool,
) -> None:
    """Write the captions: by default one array of {"image", "caption"}, in input order.

    \b
    json       one array of {"image", "caption"}, upstream's form
    jsonl      the same, one object a line
    per-model  a folder with one such array a model
    columns    JSON Lines, an image a line, a key a model
    openclip   TSV of filepath and title (CSV if OUT ends in .csv)
    wds        a folder of WebDataset tars
    laclip     a folder: CSV of the originals, one text file a model
    dreamlip   CSV with a column a model
    llava      LLaVA conversations
    hf         an image folder with metadata.jsonl for Hugging Face datasets
    parquet    one row an image, one column a model
    """
    from engine.datasets.exports.export import ExportOptions, Unfinished
    from engine.datasets.exports.export import export as write
    from tui.cli.output import export_lines
    from tui.cli.progress_bars import exporting

    options = ExportOptions(
        models,
        with_original,
        image_root,
        path_map,
        allow_partial,
        form,
        min_words,
        only_finished,
        provenance,
        images,
        without_flagged,
    )
    try:
        with exporting() as progress:
            result = write(opened(project), out, options, progress)
    except Unfinished as unfinished:
        warn(str(unfinished))
        sys.exit(EXIT_UNFINISHED)
    for line in export_lines(result):
        say(line)


@click.command()
@project_argument
@click.option("--mode", required=True, type=click.Choice(SHEAR_MODES))
@click.option("--max-words", type=click.IntRange(min=1), metavar="N", help="A cap in words.")
def reshear(project: Path, mode: ShearMode, max_words: int | None) -> None:
    """Shear all captions again, from the raw texts and without a GPU, and from now on."""
    from engine.operations.reshear import reshear as shear_again
    from engine.shearing.shear import Shearing
    from tui.cli.progress_bars import stepping

    with stepping("shearing shards") as progress:
        done = shear_again(opened(project), Shearing(mode, max_words), progress)
    say(done.sentence(mode))


@click.command()
@project_argument
@click.option("--model", "models", multiple=True, metavar="NAME")
@click.option("--json", "as_json", is_flag=True)
def stats(project: Path, models: tuple[str, ...], as_json: bool) -> None:
    """What the captions are like, per model: lengths, cuts, repeats, refusals, prompt leaks."""
    from engine.operations.caption_stats import measure
    from tui.cli.progress_bars import stepping
    from tui.formatting.stats_table import stats_lines

    with stepping("reading shards") as progress:
        found = measure(opened(project), models, progress)
    if as_json:
        click.echo(json.dumps([model.as_dict() for model in found]))
        return
    for line in stats_lines(found):
        say(line)
