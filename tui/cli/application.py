"""The commands that open the application."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from engine.utils.errors import BadInput
from tui.cli.options import Folder
from tui.cli.requests import opened


@click.command("open", hidden=True)
@click.argument("project", type=Folder, required=False)
@click.option("--readonly", is_flag=True, help="Look, but change nothing in the run.")
@click.pass_context
def open_project(ctx: click.Context, project: Path | None, readonly: bool) -> None:
    """The application; no PROJECT: the one in this folder, else a welcome screen."""
    readonly = readonly or bool(ctx.find_root().params.get("readonly"))
    here = Path.cwd()
    folder = project or (here if (here / "project.db").is_file() else None)
    if folder is not None and not (folder / "project.db").is_file():
        opened(folder)  # says why not; all else the application says, which should be there soon
    show(None if folder is None else folder.absolute(), readonly)


def need_terminal() -> None:
    """Raises `BadInput` where the application could neither be seen nor hear a key."""
    if not all(it is not None and it.isatty() for it in (sys.__stdin__, sys.__stderr__)):
        raise BadInput(
            "the application needs a terminal; without one: mllmaug-tui run, status, samples, ..."
            " (mllmaug-tui --help), and demo --headless"
        )


def show(folder: Path | None, readonly: bool = False) -> None:
    """Runs the application until it is closed; another project that it names is opened next."""
    from tui.app import MllmaugApp
    from tui.config import settings
    from tui.terminal import graphics

    forget_exported_size()
    chosen = settings.read()
    drawing = graphics.choose(chosen.images)
    app = MllmaugApp(folder, readonly, chosen, drawing)
    need_terminal()
    while (named := app.run()) is not None:
        app = MllmaugApp(named, readonly, chosen, drawing)
    sys.exit(app.return_code)


def forget_exported_size() -> None:
    """What a parent exported (readline does, and `docker exec -e`) would hide every resize."""
    with suppress(OSError, ValueError):
        if all(os.get_terminal_size(1)):
            for name in ("COLUMNS", "LINES"):
                os.environ.pop(name, None)


@click.command()
@click.argument("project", type=Folder, default="demo")
@click.option("--images", default=200, type=click.IntRange(min=1), help="Scenes to draw (200).")
@click.option("--headless", is_flag=True, help="Without the application.")
@click.option("--devices", default="auto", help="auto, cpu, cpu:N or GPU numbers: 0,1")
def demo(project: Path, images: int, headless: bool, devices: str) -> None:
    """The whole way on built-in scenes and tiny built-in models, in ./demo."""
    from tui.cli.demo import make_demo, run_headless

    if not headless:
        need_terminal()
    found = make_demo(project, images)
    if headless:
        sys.exit(run_headless(found, devices))
    from engine.operations import run_control
    from tui.viewmodel import snapshot

    if snapshot.read(found).state != "finished":
        run_control.start(found, devices)
    show(found.folder)
