"""Commands on captions: look at them, try the models, measure, shear again, export."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from db.rows import SHEAR_MODES, ShearMode
from engine.datasets.exports.formats import FORMATS, ImageMode
from engine.operations.search.query import SYNTAX
from engine.quality.languages import LANGUAGES
from tui.cli.filter_options import filter_options
from tui.cli.options import (
    Output,
    check_max_words,
    encode_options,
    force_option,
    path_map_option,
    project_argument,
    read_byte_size,
)
from tui.cli.requests import (
    EXIT_UNFINISHED,
    echo,
    is_readonly,
    open_project,
    warn,
    warn_of_config,
)

if TYPE_CHECKING:
    from engine.quality.quality_filter import QualityFilter

SAMPLES = 8
"""Images that `samples` shows unless --count says otherwise."""
SEARCH_HELP = "\n".join(
    [
        "\b",
        "--where searches all captions. A match fulfils all conditions:",
        *(f"{terms:<32} {meaning}" for terms, meaning in SYNTAX),
    ]
)
"""What `samples --where` takes."""


@click.command(epilog=SEARCH_HELP)
@project_argument
@click.option("--model", "models", multiple=True, metavar="NAME")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    help="Number of images (8; with --flagged or --rated: all).",
)
@click.option(
    "--flagged", is_flag=True, help="Show flagged records and those with captions rated bad."
)
@click.option(
    "--rated", type=click.Choice(["good", "bad"]), help="Show records with captions rated so."
)
@click.option("--where", metavar="QUERY", help="Search all captions; see below.")
@click.option("--json", "as_json", is_flag=True)
def samples(
    folder: Path,
    models: tuple[str, ...],
    count: int | None,
    flagged: bool,
    rated: str | None,
    where: str | None,
    as_json: bool,
) -> None:
    """Show captions before and after shearing.

    The images are spread over all that are captioned.
    """
    from engine.operations.records import flagged_samples, rated_samples, read_samples
    from tui.cli.output import sample_lines
    from tui.cli.search import find_samples

    project, tell = open_project(folder), not is_readonly()
    if where is not None:
        also = (" flagged" if flagged else "") + (f" rated:{rated}" if rated is not None else "")
        images = find_samples(project, where + also, models, count or SAMPLES)
    elif rated is not None:
        images = rated_samples(project, rated == "good", models, tell)[:count]
    elif flagged:
        images = flagged_samples(project, models, tell)[:count]
    else:
        images = read_samples(project, count or SAMPLES, models, tell)
    if as_json:
        click.echo(json.dumps([image.as_dict() for image in images]))
        return
    for image in images:
        for line in sample_lines(image):
            echo(line)
    if not images and where is None:
        named = f"no caption is rated {rated}" if rated else "nothing is captioned yet"
        echo("nothing is flagged" if flagged else named)


@click.command()
@project_argument
@click.option("--model", "models", multiple=True, metavar="NAME")
@click.option(
    "--images", default=64, type=click.IntRange(min=1), help="Number of first images (64)."
)
@click.option("--devices", default="auto", help="auto, cpu, cpu:N or GPU numbers such as 0,1.")
@click.option("--json", "as_json", is_flag=True)
def pilot(folder: Path, models: tuple[str, ...], images: int, devices: str, as_json: bool) -> None:
    """Try every model on the first images before a run.

    This shows the captions side by side, the speed and the time for all records. The captions of
    the project do not change. A later run warns if a figure is worse than in the pilot. The project
    must not be running, since the pilot needs the devices.
    """
    from engine.operations.pilot import keep_figures, plan_pilot, run_pilot
    from engine.operations.run_control import refuse_while_running
    from tui.cli.pilot_output import findings_dict, print_findings
    from tui.cli.progress_bars import pilot_bars

    project = open_project(folder)
    warn_of_config()
    refuse_while_running(project, "try the models")
    pilot_plan = plan_pilot(project, devices, images, models)
    with pilot_bars(len(pilot_plan.records)) as show_event:
        findings = run_pilot(pilot_plan, show_event)
    if not is_readonly():
        keep_figures(project, findings)
    if as_json:
        click.echo(json.dumps(findings_dict(findings)))
    else:
        print_findings(findings)
    if findings.errors:
        sys.exit(EXIT_UNFINISHED)


@click.command()
@project_argument
@click.argument("out", type=Output, required=False)
@click.option("--format", "form", default="json", metavar="F", help=f"{', '.join(FORMATS)} (json).")
@click.option("--model", "models", multiple=True, metavar="NAME", help="Export only these models.")
@click.option("--with-original", is_flag=True, help="Include the original caption, as the first.")
@click.option("--image-root", metavar="NEW", help="Put NEW before relative image paths.")
@path_map_option
@click.option("--allow-partial", is_flag=True, help="Export although tasks are not done.")
@click.option(
    "--min-words",
    default=0,
    type=click.IntRange(min=0),
    help="Leave out captions with fewer words.",
)
@click.option(
    "--only-finished",
    is_flag=True,
    help="Leave out captions whose sentence the token cap cut.",
)
@click.option("--provenance", is_flag=True, help="Add model, checkpoint, prompt, seed and finish.")
@click.option("--text", metavar="T", help="The caption to train on; see below.")
@click.option(
    "--images",
    type=click.Choice(["copy", "link", "none"]),
    help="Copy the image files, link to them, or write none.",
)
@encode_options
@click.option(
    "--tar-size",
    metavar="SIZE",
    callback=read_byte_size,
    help="Largest size of a tar, such as 500M (one tar per shard).",
)
@click.option("--uid", is_flag=True, help="Add the column uid.")
@click.option(
    "--captions-list", is_flag=True, help="Add the column captions, a list of all captions."
)
@click.option(
    "--quality-columns", is_flag=True, help="Add the columns health, agreement, scores, flags."
)
@click.option("--without-flagged", is_flag=True, help="Leave out flagged records and bad captions.")
@click.option("--only-flagged", is_flag=True, help="Export flagged records and bad captions only.")
@click.option("--keep-unreadable", is_flag=True, help="Include images that cannot be read.")
@filter_options
@click.option(
    "--count",
    "--dry-run",
    "count",
    is_flag=True,
    help="Write nothing; say what the export would hold.",
)
@force_option
def export(
    folder: Path,
    out: Path | None,
    form: str,
    models: tuple[str, ...],
    with_original: bool,
    image_root: str | None,
    path_map: tuple[tuple[str, str], ...],
    allow_partial: bool,
    min_words: int,
    only_finished: bool,
    provenance: bool,
    text: str | None,
    images: ImageMode | None,
    encode: str | None,
    max_side: int | None,
    tar_size: int | None,
    uid: bool,
    captions_list: bool,
    quality_columns: bool,
    without_flagged: bool,
    only_flagged: bool,
    keep_unreadable: bool,
    quality: QualityFilter,
    count: bool,
    force: bool,
) -> None:
    """Write the captions in one of these formats.

    \b
    json       one array of {"image", "caption"}, as the scripts of the paper write it
    jsonl      the same, one object per line
    per-model  a folder with one such array per model
    columns    JSON Lines, one image per line, one key per model
    openclip   TSV of filepath and title (CSV if OUT ends in .csv)
    wds        a folder of WebDataset tars
    laclip     a folder: CSV of the originals, one text file per model
    dreamlip   CSV with one column per model
    llava      LLaVA conversations
    hf         an image folder with metadata.jsonl for Hugging Face datasets
    parquet    one row per image, one column per model
    sidefiles  each image with a .txt, one caption per line
    messages   JSON Lines of messages for ms-swift and LLaMA-Factory
    trl        the same for TRL
    hub        Parquet with the images in it, for the Hugging Face Hub

    \b
    --text for openclip, wds, llava, sidefiles, messages, trl:
    original   the original caption
    MODEL      the caption of this model
    random     one caption of each image, drawn once
    expand     each caption, as a sample of its own

    Records are in the order of the input. Images that a model found missing or unreadable, and
    records that were excluded, are left out. The last line adds up what was read, written and left
    out. The filters from --without to --keep-share judge each caption by itself, in this order.
    The command says what they leave before it writes anything.
    """
    if out is None and not count:
        raise click.UsageError("Missing argument 'OUT'.")
    from engine.datasets.exports.export import ExportOptions, UnfinishedTasks, count_captions
    from engine.datasets.exports.export import export as write_export
    from engine.operations.damage import describe_damage, telling_damage
    from engine.operations.exports_made import tell_export
    from tui.cli.output import export_lines
    from tui.cli.progress_bars import export_bar
    from tui.formatting.export_count import count_lines

    options = ExportOptions(
        models=models,
        with_original=with_original,
        image_root=image_root,
        path_map=path_map,
        allow_partial=allow_partial,
        format=form,
        min_words=min_words,
        only_finished=only_finished,
        provenance=provenance,
        images=images,
        without_flagged=without_flagged,
        only_flagged=only_flagged,
        force=force,
        keep_unreadable=keep_unreadable,
        text=text,
        encode=encode,
        max_side=max_side,
        tar_bytes=tar_size,
        uid=uid,
        captions_list=captions_list,
        quality_columns=quality_columns,
        quality=quality,
    )
    project, tell, first_pass = open_project(folder), not is_readonly(), None
    try:
        with telling_damage(project, tell):
            if count or quality:
                with export_bar("counting") as progress:
                    first_pass = count_captions(
                        project, options, out, progress, readonly=is_readonly()
                    )
                for line in count_lines(first_pass):
                    echo(line)
            if count or out is None:
                return
            with export_bar("exporting") as progress:
                result = write_export(
                    project, out, options, progress, readonly=is_readonly(), first_pass=first_pass
                )
    except UnfinishedTasks as unfinished:
        warn(str(unfinished))
        sys.exit(EXIT_UNFINISHED)
    if tell:
        tell_export(project, result, form)
    for line in export_lines(result):
        echo(line)
    if result.damage:
        warn(describe_damage(project, result.damage, tell))


@click.command()
@project_argument
@click.option("--mode", required=True, type=click.Choice(SHEAR_MODES))
@click.option(
    "--max-words",
    type=click.IntRange(min=1),
    metavar="N",
    callback=check_max_words,
    help="Cut sheared captions to N words.",
)
def reshear(folder: Path, mode: ShearMode, max_words: int | None) -> None:
    """Shear all captions again from the raw texts, without a GPU.

    Captions of later runs are sheared in the same way.
    """
    from engine.operations.reshear import reshear as shear_again
    from engine.shearing.shear import Shearing
    from tui.cli.progress_bars import step_bar

    with step_bar("shearing shards") as progress:
        result = shear_again(open_project(folder), Shearing(mode, max_words), progress)
    echo(result.summary(mode))


@click.command()
@project_argument
@click.option("--json", "as_json", is_flag=True)
def verify(folder: Path, as_json: bool) -> None:
    """Find damaged files: compare every file with its digest.

    `run` then repairs the damage. The exit code is 1 if anything is damaged. The project may be
    running.
    """
    from engine.operations.verify import verify as verify_project
    from tui.cli.progress_bars import step_bar

    with step_bar("reading shards") as progress:
        verification = verify_project(folder, progress, is_readonly())
    if as_json:
        click.echo(json.dumps(verification.as_dict()))
    else:
        for line in verification.lines():
            echo(line)
    if verification.damage:
        sys.exit(EXIT_UNFINISHED)


@click.command()
@project_argument
@click.option("--model", "models", multiple=True, metavar="NAME")
@click.option(
    "--language",
    default="en",
    type=click.Choice(LANGUAGES),
    metavar="CODE",
    help="The language that captions should have (en).",
)
@click.option("--shards", is_flag=True, help="Show each shard, too, in the order of time.")
@click.option("--json", "as_json", is_flag=True)
def quality(
    folder: Path, models: tuple[str, ...], language: str, shards: bool, as_json: bool
) -> None:
    """Count the defects of captions per model.

    It also says how similar the captions are, and how they compare with the originals.
    """
    from engine.operations.quality import measure_quality
    from engine.operations.ratings import ratings_by_name
    from engine.operations.unfinished import unfinished_note
    from tui.cli.progress_bars import step_bar
    from tui.formatting.quality_table import quality_lines

    project = open_project(folder)
    with step_bar("counting shards") as progress:
        qualities = measure_quality(project, models, language, progress, is_readonly())
    ratings = ratings_by_name(project)
    if note := unfinished_note(project, models):
        warn(note)
    if as_json:
        values = [
            each.as_dict(with_shards=shards) | {"ratings": ratings[each.name]._asdict()}
            for each in qualities
        ]
        click.echo(json.dumps({"models": values}))
        return
    for line in quality_lines(qualities, shards, ratings):
        echo(line)


@click.command()
@project_argument
@click.option("--model", "models", multiple=True, metavar="NAME")
@click.option("--json", "as_json", is_flag=True)
def stats(folder: Path, models: tuple[str, ...], as_json: bool) -> None:
    """Measure the captions per model: lengths, repeats, refusals."""
    from engine.operations.caption_stats import measure_captions
    from tui.cli.progress_bars import step_bar
    from tui.formatting.stats_table import stats_lines

    with step_bar("reading shards") as progress:
        model_stats = measure_captions(open_project(folder), models, progress, not is_readonly())
    if as_json:
        click.echo(json.dumps([model.as_dict() for model in model_stats]))
        return
    for line in stats_lines(model_stats):
        echo(line)
