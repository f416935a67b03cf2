"""The commands that open the application."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from engine.utils.errors import BadInput
from tui.cli.options import Folder
from tui.cli.requests import open_project, warn_of_config


@click.command("open", hidden=True)
@click.argument("folder", metavar="[PROJECT]", type=Folder, required=False)
@click.option("--readonly", is_flag=True, help="Change nothing in the project.")
@click.pass_context
def open_application(ctx: click.Context, folder: Path | None, readonly: bool) -> None:
    """Open the application; without PROJECT, on the one in this folder, else a welcome screen."""
    readonly = readonly or bool(ctx.find_root().params.get("readonly"))
    here = Path.cwd()
    folder = folder or (here if (here / "project.db").is_file() else None)
    if folder is not None and not (folder / "project.db").is_file():
        # Raises `BadInput` that says why. The application opens any other folder itself, in a
        # thread, so that its first frame comes soon.
        open_project(folder)
    show(None if folder is None else folder.absolute(), readonly)


def has_terminal() -> bool:
    """Return True if there is a terminal to show the application and to read keys from."""
    streams = (sys.__stdin__, sys.__stderr__)
    return all(stream is not None and stream.isatty() for stream in streams)


def in_browser() -> bool:
    """Return True if a browser shows the application (`mllmaug-tui web`)."""
    return "TEXTUAL_DRIVER" in os.environ


def require_terminal() -> None:
    """Raise `BadInput` if there is neither a terminal nor a browser."""
    if not (has_terminal() or in_browser()):
        raise BadInput(
            "the application needs a terminal; without one: mllmaug-tui run, status, samples, ..."
            " (mllmaug-tui --help), and demo"
        )


def show(folder: Path | None, readonly: bool = False) -> None:
    """Run the application until it is closed, then end the process.

    When it is closed to open another project, it runs again with that one.
    """
    from tui.app import MllmaugApp
    from tui.config import settings
    from tui.terminal import graphics

    forget_exported_size()
    user_settings, warning = settings.read()
    if in_browser():  # the terminal of the server is not to be asked
        image_support = graphics.ImageSupport("cells", "in a browser")
    else:
        image_support = graphics.choose(user_settings.images)
    app = MllmaugApp(folder, readonly, user_settings, image_support, warning)
    require_terminal()
    while (next_folder := app.run()) is not None:
        app = MllmaugApp(next_folder, readonly, user_settings, image_support)
    sys.exit(app.return_code)


def forget_exported_size() -> None:
    """Remove COLUMNS and LINES from the environment if the terminal knows its size.

    A parent may have exported them (readline does, and `docker exec -e`); they would hide every
    resize.
    """
    with suppress(OSError, ValueError):
        if all(os.get_terminal_size(1)):
            for name in ("COLUMNS", "LINES"):
                os.environ.pop(name, None)


@click.command()
@click.argument("folder", metavar="[PROJECT]", type=Folder, default="demo")
@click.option("--images", type=click.IntRange(min=1), help="Number of scenes to draw (200).")
@click.option("--headless", is_flag=True, help="Run without the application.")
@click.option("--devices", default="auto", help="auto, cpu, cpu:N or GPU numbers such as 0,1.")
def demo(folder: Path, images: int | None, headless: bool, devices: str) -> None:
    """Try everything on built-in scenes and tiny models, in ./demo."""
    from engine.operations.demo_project import make_demo
    from tui.cli.demo import run_headless
    from tui.config.user_files import remember_project

    project = make_demo(folder, images)
    remember_project(project.folder)
    if headless or not has_terminal():
        warn_of_config()
        sys.exit(run_headless(project, devices))
    from engine.operations import run_control
    from tui.viewmodel.snapshot_reader import read_snapshot

    if read_snapshot(project).state != "finished":
        run_control.start(project, devices)
    show(project.folder)
