"""Commands about the machine: the model families, and a check of devices and checkpoints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from engine.utils.errors import BadInput
from tui.cli.options import Folder
from tui.cli.requests import EXIT_UNFINISHED, echo, open_project


@click.command()
@click.option("--json", "as_json", is_flag=True)
def models(as_json: bool) -> None:
    """Families, presets, what a checkpoint folder must hold."""
    from engine.operations.model_catalogue import family_dicts
    from tui.cli.output import family_lines

    if as_json:
        click.echo(json.dumps(family_dicts()))
    else:
        for line in family_lines():
            echo(line)


@click.command()
@click.argument("folder", metavar="[PROJECT]", type=Folder, required=False)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME=CHECKPOINT",
    help="Load it, caption a drawn picture, compare with golden files where there are any.",
)
@click.option("--set", "settings", multiple=True, metavar="MODEL.KEY=VALUE")
def doctor(folder: Path | None, models: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Devices, checkpoints, image paths, disk space, in words."""
    from engine.operations.doctor import examine
    from tui.config import settings as user_settings
    from tui.terminal import graphics

    names = {model.partition("=")[0] for model in models}
    for setting in settings:
        if not any(setting.startswith(f"{name}.") for name in names):
            raise BadInput(f"--set {setting}: it goes with a --model of that name")
    project = open_project(folder) if folder else None
    healthy = True
    if sys.stdout.isatty():
        echo(f"ok    {graphics.choose(user_settings.read().images, ask_without_extra=True)}")
    for finding in examine(project, models, settings):
        healthy = healthy and finding.good
        echo(f"{'ok   ' if finding.good else 'CHECK'} {finding.text}")
    if not healthy:
        sys.exit(EXIT_UNFINISHED)
