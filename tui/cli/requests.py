"""Functions that all commands share: open a project, print, send requests; the exit codes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.formatting.escape import visible

if TYPE_CHECKING:
    from engine.project.layout import Project
    from engine.requests.kinds import Request

EXIT_UNFINISHED = 1
"""Exit code: tasks are not done, or the request was refused."""
EXIT_BAD_INPUT = 2
"""Exit code: bad input or bad usage."""
EXIT_UNHEALTHY = 3
"""Exit code: all that is left is of models that were stopped for the health of their captions."""
EXIT_INTERRUPTED = 130
"""Exit code: ended by Ctrl-C or SIGTERM."""


def open_project(folder: Path) -> Project:
    """Open the project in a folder; after `--readonly` nothing of it is changed.

    Raises `BadInput`.
    """
    # Imported here: it imports SQLAlchemy, and neither `--help` nor the application's first frame
    # need wait for that.
    from engine.project.opening import open_project

    return open_project(folder, is_readonly())


def is_readonly() -> bool:
    """Return True after `--readonly`: nothing of the project is changed, damage is only shown."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("readonly"))


def echo(text: str) -> None:
    """Print a line on stdout, with control characters made visible."""
    click.echo(visible(text))


def warn(text: str) -> None:
    """Print a line on stderr, with control characters made visible, as far as it can be written."""
    with suppress(OSError):
        click.echo(visible(text), err=True)


def warn_of_config() -> None:
    """Print what is wrong with the user's `config.toml`, if anything is, as one line on stderr.

    Called by commands for which a setting of it counts.
    """
    from tui.config.settings import config_warning

    warning = config_warning()
    if warning is not None:
        warn(f"warning: {warning}")


def send_request(project: Project, request: Request) -> None:
    """Send a request to the run, or carry it out here while nothing runs; print the answer.

    Raises `RequestRefused`, `DatabaseError`.
    """
    from engine.operations import run_control

    echo(run_control.send_request(project, request).text)
