"""What the application asks of the engine. Slow: called in threads only.

Every function returns a sentence that says what was done, or raises `BadInput` or `Refused`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import Refused
from tui.text import size

if TYPE_CHECKING:
    from engine.datasets.export import ExportProgress
    from engine.project import Project


@dataclass(frozen=True)
class ExportChoice:
    models: tuple[str, ...]
    with_original: bool
    image_root: str | None
    allow_partial: bool


def open_project(folder: Path) -> Project:
    from engine.project import Project

    return Project.open(folder)


def start(project: Project, devices: str = "auto") -> str:
    from engine import control

    control.start(project, devices)
    return "the run started; it goes on when this window closes"


def ask(project: Project, kind: str, **payload: Any) -> str:
    from engine import control

    return control.ask(project, kind, **payload)


def resume(project: Project) -> str:
    """Also starts a supervisor where none lives: a paused run may have been stopped."""
    from engine import control

    said = control.ask(project, "resume")
    return said if control.supervisor(project) else start(project)


def export(
    project: Project,
    out: Path,
    choice: ExportChoice,
    progress: Callable[[ExportProgress], None],
    cancelled: Callable[[], bool],
) -> str:
    from engine.datasets.export import ExportOptions, Unfinished
    from engine.datasets.export import export as write

    options = ExportOptions(
        models=choice.models,
        with_original=choice.with_original,
        image_root=choice.image_root,
        allow_partial=choice.allow_partial,
    )
    try:
        result = write(project, out, options, progress, cancelled)
    except Unfinished as error:
        raise Refused(f"{error} (tick 'unfinished' to export what there is)") from error
    left_out = f"{result.failed:,} failed, {result.empty:,} empty, {result.missing:,} missing"
    return (
        f"{result.captions:,} captions of {result.records:,} records ({size(result.bytes)})"
        f" are in {result.path}; left out: {left_out}"
    )
