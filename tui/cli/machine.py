"""Commands about the machine: the model families, and a check of devices and checkpoints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from engine.utils.errors import BadInput
from tui.cli.options import Folder
from tui.cli.requests import EXIT_UNFINISHED, echo, open_project, warn_of_config


@click.command()
@click.option("--json", "as_json", is_flag=True)
def models(as_json: bool) -> None:
    """List model families, their presets and checkpoints."""
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
    help="Load the model, caption a test picture, compare with golden files if there are any.",
)
@click.option("--set", "settings", multiple=True, metavar="MODEL.KEY=VALUE")
def doctor(folder: Path | None, models: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Check devices, checkpoints, image paths and disk space."""
    from engine.notices.hooks import read_hooks
    from engine.operations.doctor import examine
    from tui.config import settings as user_settings
    from tui.terminal import graphics

    names = {model.partition("=")[0] for model in models}
    for setting in settings:
        if not any(setting.startswith(f"{name}.") for name in names):
            raise BadInput(f"--set {setting}: give --model with the same name, too")
    project = open_project(folder) if folder else None
    healthy = True
    valid_settings, warning = user_settings.read()
    if sys.stdout.isatty():
        echo(f"ok    {graphics.choose(valid_settings.images, ask_without_extra=True)}")
    try:
        if called := [hook.name for hook in read_hooks()]:
            echo(f"ok    hooks: {', '.join(called)} ('mllmaug-tui hooks --test' calls them)")
    except BadInput as error:
        warning = str(error)  # it also says that no hook is called
    if warning is not None:
        healthy = False
        echo(f"CHECK {warning}")
    for finding in examine(project, models, settings):
        healthy = healthy and finding.good
        echo(f"{'ok   ' if finding.good else 'CHECK'} {finding.text}")
    if not healthy:
        sys.exit(EXIT_UNFINISHED)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--test", is_flag=True, help="Call each hook with a test event.")
def hooks(names: tuple[str, ...], test: bool) -> None:
    """List the hooks, which are called for events of a run.

    A hook is a command or a webhook in [on_event.NAME] of `config.toml`.
    """
    from engine.notices.calling import CallFailed, call, trial_message
    from engine.notices.hooks import read_hooks
    from engine.utils.user_config import config_file

    known = {hook.name: hook for hook in read_hooks()}
    warn_of_config()  # after that, since a mistake in the hooks is an error here
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadInput(
            f"there is no hook {unknown[0]!r}: {', '.join(known) or 'none is configured'}"
        )
    if not known:
        echo(f"no hook: write [on_event.NAME] with a command or a webhook into {config_file()}")
    failed = False
    for hook in (known[name] for name in names or known):
        kind = "command" if hook.command else "webhook"
        if not test:
            echo(f"{hook.name}: {kind}, when {', '.join(hook.events)}")
            continue
        try:
            call(hook, trial_message())
            echo(f"ok    {hook.name}: its {kind} was called")
        except CallFailed as error:
            failed = True
            echo(f"CHECK {hook.name}: {error}")
    if failed:
        sys.exit(EXIT_UNFINISHED)
