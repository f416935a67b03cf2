"""What there is on this machine: model families, devices, checkpoints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from tui.cli.options import Folder
from tui.cli.requests import EXIT_UNFINISHED, opened, say


@click.command()
@click.option("--json", "as_json", is_flag=True)
def models(as_json: bool) -> None:
    """Families, presets, what a checkpoint folder must hold."""
    from tui.cli.output import family_dicts, family_lines

    if as_json:
        click.echo(json.dumps(family_dicts()))
    else:
        for line in family_lines():
            say(line)


@click.command()
@click.argument("project", type=Folder, required=False)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME=CHECKPOINT",
    help="Load it, caption a drawn picture, compare with golden files where there are any.",
)
@click.option("--set", "settings", multiple=True, metavar="MODEL.KEY=VALUE")
def doctor(project: Path | None, models: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Devices, checkpoints, image paths, disk space, in words."""
    from engine.operations.doctor import examine

    healthy = True
    for finding in examine(opened(project) if project else None, models, settings):
        healthy = healthy and finding.good
        say(f"{'ok   ' if finding.good else 'CHECK'} {finding.text}")
    if not healthy:
        sys.exit(EXIT_UNFINISHED)
