"""`mllmaug-tui web`: the application in a browser, also from far away."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import click

from engine.utils.errors import BadInput
from tui.cli.options import project_argument
from tui.cli.requests import echo, is_readonly, open_project

CLOSE_WITH_SERVER = (
    "from engine.process.parent_death import close_with_parent; close_with_parent({parent}); "
)
"""The first code of an application: `parent` is the pid of the server."""


@click.command()
@project_argument
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="Port of the server (8000, or a free one).",
)
@click.option("--allow-changes", is_flag=True, help="Let whoever has the address change the run.")
def web(folder: Path, port: int | None, allow_changes: bool) -> None:
    """Show the application in a browser.

    The browser runs on this machine or reaches it through ssh. Only the printed address opens the
    application, since it holds a token. Ctrl-C ends the server, but no run. Without
    --allow-changes, a browser can change nothing.
    """
    from engine.process.identity import host_name
    from engine.process.python_command import python_command
    from engine.utils.optional_imports import import_extra

    if allow_changes and is_readonly():
        raise BadInput("--readonly and --allow-changes exclude each other: give one of them")
    import_extra("textual_serve", "web", "a browser gets the application from a server")
    from tui.web.server import bind, guard_for, serve

    project = open_project(folder)
    readonly = [] if allow_changes else ["--readonly"]
    tie = CLOSE_WITH_SERVER.format(parent=os.getpid())
    command = python_command("tui.cli.main", *readonly, "open", str(project.folder), first=tie)
    bound = bind(port)
    guard = guard_for(bound)
    what = "with changes" if allow_changes else "read-only; --allow-changes lets it change the run"
    echo(f"{project.name} in a browser ({what}):")
    echo(f"  {guard.address}")
    echo("from another machine, first:")
    echo(f"  ssh -N -L {guard.port}:{guard.host} {getpass.getuser()}@{host_name()}")
    echo("Ctrl-C ends it.")
    serve(bound, guard, command, project.name)
