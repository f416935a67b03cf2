"""What the application asks of the engine. Slow: called in threads only.

Every function returns a sentence that says what was done, or raises `BadInput` or `Refused`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from engine.utils.errors import BadInput, Refused
from engine.utils.plurals import plural
from tui.formatting.text import size

if TYPE_CHECKING:
    from db.failures import Cause
    from engine.datasets.exports.export import ExportOptions, ExportProgress
    from engine.operations.failure_causes import Records
    from engine.project.layout import Project

DEMO_IMAGES = 200
OPENERS = ("xdg-open", "open")


def open_project(folder: Path) -> Project:
    from engine.project.opening import open_project

    return open_project(folder)


def demo(folder: Path) -> Path:
    """Draws the demonstration, or takes what is there, and starts it."""
    from tui.cli.demo import make_demo

    project = make_demo(folder, DEMO_IMAGES)
    start(project)
    return project.folder


def start(project: Project, devices: str | None = None) -> str:
    """Where it ran last, unless devices are named."""
    from engine.operations import run_control

    place = devices or run_control.last_devices(project)
    try:
        run_control.start(project, place)
    except BadInput as error:
        if devices is not None or place == "auto":
            raise
        raise BadInput(f"{error} (it ran last on {place}; u chooses other devices)") from error
    where = "" if place == "auto" else f" on {place}"
    return f"the run started{where}; it goes on when this window closes"


def ask(project: Project, kind: str, **payload: Any) -> str:
    from engine.operations import run_control

    said = run_control.ask(project, kind, **payload)
    return to_be_run(project, said) if kind == "retry" else said


def to_be_run(project: Project, said: str) -> str:
    """Where nothing runs, what is asked for waits."""
    from engine.operations import run_control

    return said if run_control.supervisor(project) else f"{said}; p starts the run"


def resume(project: Project) -> str:
    """Also starts a supervisor where none lives: a paused run may have been stopped."""
    from engine.operations import run_control

    said = run_control.ask(project, "resume")
    return said if run_control.supervisor(project) else start(project)


def retry_failed(project: Project) -> str:
    """Every shard that failed."""
    from engine.project.selectors import select_tasks

    return ask(project, "retry", tasks=select_tasks(project, (), ()), failed_items=False)


def retry_cause(project: Project, cause: Cause) -> str:
    from engine.operations import failure_causes

    return to_be_run(project, failure_causes.retry_cause(project, cause))


def exclude_cause(project: Project, cause: Cause) -> str:
    from engine.operations import failure_causes

    return failure_causes.exclude_cause(project, cause)


def flag(project: Project, shard: int, i: int) -> str:
    """Flags a record, or takes its flag away: the screen shows it, so that nothing is said."""
    ask(project, "flag", places=[(shard, i)], flagged=None)
    return ""


def exclude_records(project: Project, chosen: Records) -> str:
    from engine.operations import failure_causes

    return failure_causes.exclude_records(project, chosen)


def open_image(project: Project, image: str) -> str:
    """With the desktop's program. Raises `ImageProblem`, `Refused`."""
    from engine.operations.records import image_file

    path = image_file(project, image)
    if not Path(path).is_file():
        raise Refused(f"there is no file {path}")
    opener = next((each for each in map(shutil.which, OPENERS) if each), None)
    if opener is None or not any(
        map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "TERM_PROGRAM"))
    ):
        raise Refused(f"no desktop to open it with; the file is {path}")
    subprocess.Popen(  # noqa: S603 (the desktop's own opener, on a file)
        [opener, path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return f"opened {path}"


def write_failures(project: Project, out: Path, cause: Cause | None) -> str:
    from engine.operations.failure_report import write_csv

    written = write_csv(project, out, cause)
    return f"{written:,} failures are in {out}"


def export(
    project: Project,
    out: Path,
    options: ExportOptions,
    progress: Callable[[ExportProgress], None],
    cancelled: Callable[[], bool],
) -> str:
    from engine.datasets.exports.export import Unfinished
    from engine.datasets.exports.export import export as write

    try:
        result = write(project, out, options, progress, cancelled)
    except Unfinished as error:
        which = str(error).partition(": ")[0]
        raise Refused(f"{which}: run them, or tick 'unfinished' for what there is") from error
    left_out = f"{result.failed:,} failed, {result.empty:,} empty, {result.missing:,} missing"
    if result.filtered:
        left_out += f", {result.filtered:,} not wanted"
    if result.flagged:
        left_out += f", {result.flagged:,} of flagged records"
    if result.unfit:
        left_out += f"; {result.unfit:,} images do not fit the format"
    return (
        f"{plural(result.captions, 'caption')} of {plural(result.records, 'record')}"
        f" ({size(result.bytes)}) in {result.path}; left out: {left_out}"
    )


def export_command(project: Project, out: str, options: ExportOptions) -> str:
    """What does the same without the application."""
    parts = ["mllmaug-tui export", argument(shortened(project.folder)), argument(out)]
    if options.format != "json":
        parts.append(f"--format {options.format}")
    parts += [f"--model {quote(name)}" for name in options.models]
    parts += ["--with-original"] * options.with_original
    if options.image_root is not None:
        parts.append(f"--image-root {quote(options.image_root)}")
    parts += [f"--path-map {quote(f'{old}={new}')}" for old, new in options.path_map]
    if options.min_words:
        parts.append(f"--min-words {options.min_words}")
    parts += ["--only-finished"] * options.only_finished
    parts += ["--provenance"] * options.provenance
    parts += ["--without-flagged"] * options.without_flagged
    if options.images is not None:
        parts.append(f"--images {options.images}")
    return " ".join([*parts, *["--allow-partial"] * options.allow_partial])


def argument(path: str) -> str:
    """For a shell, and never an option."""
    return quote(f"./{path}" if path.startswith("-") else path)


def shortened(path: Path) -> str:
    """Relative where it lies under the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
