"""Commands that ask with small trainings of open_clip which captions help."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from tui.cli.options import Folder, Output, encode_options, project_argument
from tui.cli.requests import EXIT_UNFINISHED, echo, is_readonly, open_project, warn


@click.command()
@project_argument
@click.argument("out", type=Output)
@click.argument("open_clip", nargs=-1, metavar="[-- OPEN_CLIP_OPTIONS]")
@click.option("--images", type=click.IntRange(min=1), metavar="N", help="Train on N images (all).")
@click.option(
    "--test-images",
    type=click.IntRange(min=5),
    metavar="N",
    help="Test on N images (a tenth of --images, 10 to 1,000).",
)
@click.option(
    "--arms",
    default="original,joint,raw",
    metavar="A,B",
    help="Arms to compare: original, joint, raw or names of models (original,joint,raw).",
)
@click.option(
    "--seeds", default=3, type=click.IntRange(1, 100), metavar="K", help="Seeds per arm (3)."
)
@click.option("--model", "models", multiple=True, metavar="NAME", help="Use only these models.")
@click.option("--clip", default="ViT-B-32", metavar="NAME", help="open_clip's model (ViT-B-32).")
@click.option(
    "--epochs",
    default=30,
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Epochs of each training (30).",
)
@click.option(
    "--batch-size", type=click.IntRange(min=2), metavar="N", help="Images per batch (256)."
)
@encode_options
@click.option(
    "--allow-partial", is_flag=True, help="Take what there is although tasks are not done."
)
def proxy(
    folder: Path,
    out: Path,
    open_clip: tuple[str, ...],
    images: int | None,
    test_images: int | None,
    arms: str,
    seeds: int,
    models: tuple[str, ...],
    clip: str,
    epochs: int,
    batch_size: int | None,
    encode: str | None,
    max_side: int | None,
    allow_partial: bool,
) -> None:
    """Prepare small trainings that show which captions help.

    \b
    original   each image with its original caption
    joint      by turns with that and the sheared caption of each model
    raw        by turns with that and the captions before shearing
    MODEL      with the sheared caption of this model

    All arms have the same images and see the same number of samples. This command trains nothing:
    it writes tars to OUT, and the command lines to OUT/train.sh and OUT/evaluate.sh. `proxy-table
    OUT` shows the results.
    """
    from engine.datasets.exports.export import UnfinishedTasks
    from engine.operations.damage import telling_damage
    from engine.operations.proxy.command_lines import Training
    from engine.operations.proxy.proxy import ProxyOptions, make_proxy
    from tui.cli.progress_bars import step_bar
    from tui.formatting.proxy_table import made_lines

    options = ProxyOptions(
        arms=tuple(name.strip() for name in arms.split(",")),
        models=models,
        images=images,
        test_images=test_images,
        encode=encode,
        max_side=max_side,
        training=Training(
            clip=clip, epochs=epochs, batch_size=batch_size, seeds=seeds, extra=open_clip
        ),
        allow_partial=allow_partial,
    )
    project, tell = open_project(folder), not is_readonly()
    try:
        with step_bar("reading shards") as progress, telling_damage(project, tell):
            made = make_proxy(project, out, options, progress, readonly=is_readonly())
    except UnfinishedTasks as unfinished:
        warn(str(unfinished))
        sys.exit(EXIT_UNFINISHED)
    for line in made_lines(made):
        echo(line)


@click.command("proxy-table")
@click.argument("out", type=Folder)
@click.option("--json", "as_json", is_flag=True)
def proxy_table(out: Path, as_json: bool) -> None:
    """Show the results of the trainings of a proxy.

    The table has the mean of each arm and the range over its seeds.
    """
    from engine.operations.proxy.results import read_results
    from tui.formatting.proxy_table import proxy_lines

    results = read_results(out)
    if as_json:
        click.echo(json.dumps(results.as_dict()))
        return
    for line in proxy_lines(results):
        echo(line)
