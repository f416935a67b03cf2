"""What every command does: open the project, ask of it, say what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.project.opening import open_project
from tui.formatting.escape import visible

if TYPE_CHECKING:
    from engine.project.layout import Project

EXIT_UNFINISHED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def opened(folder: Path) -> Project:

    return open_project(folder)


def say(text: str) -> None:
    click.echo(visible(text))


def warn(text: str) -> None:
    click.echo(visible(text), err=True)


def answer(project: Project, kind: str, **payload: Any) -> None:
    from engine.operations.run_control import ask

    say(ask(project, kind, **payload))
