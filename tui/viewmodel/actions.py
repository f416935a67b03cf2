"""The actions of the application that the engine carries out. Slow: call them in threads only.

A function that does something returns a sentence that says what was done, for the user, or raises
`BadInput` or `RequestRefused`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from engine.utils.errors import BadInput, RequestRefused
from engine.utils.plurals import plural
from tui.formatting.text import size

if TYPE_CHECKING:
    from db.failures import Cause
    from db.rows import Rating, RecordKey
    from engine.datasets.exports.export import ExportOptions, ExportProgress
    from engine.operations.failure_causes import RecordSelection
    from engine.operations.pilot import PilotFindings
    from engine.project.layout import Project
    from engine.requests.kinds import Request

OPENERS = ("xdg-open", "open")
"""Programs that open a file on the desktop: of Linux, of macOS."""


def open_project(folder: Path, readonly: bool = False) -> Project:
    from engine.project.opening import open_project

    return open_project(folder, readonly)


def start_demo(folder: Path) -> Path:
    """Make the demonstration, or take the one that is there, start it, and return its folder."""
    from engine.operations.demo_project import make_demo

    project = make_demo(folder, None)
    start(project)
    return project.folder


def start(project: Project, devices: str | None = None) -> str:
    """Start the run on `devices`; None: those of the last run."""
    from engine.operations import run_control

    chosen_devices = devices or run_control.last_devices(project)
    try:
        run_control.start(project, chosen_devices)
    except BadInput as error:
        if devices is not None or chosen_devices == "auto":
            raise
        message = f"{error} (it ran last on {chosen_devices}; u chooses other devices)"
        raise BadInput(message) from error
    where = "" if chosen_devices == "auto" else f" on {chosen_devices}"
    return f"the run started{where}; it goes on when this window closes"


def send_request(project: Project, request: Request) -> str:
    """Send a request to the run, or carry it out here while nothing runs; return the reply."""
    from engine.operations import run_control
    from engine.requests.kinds import Retry

    reply = run_control.send_request(project, request).text
    return with_start_hint(project, reply) if isinstance(request, Retry) else reply


def with_start_hint(project: Project, reply: str) -> str:
    """Add how to start the run to a reply, if nothing runs: the tasks then wait."""
    from engine.operations import run_control

    return reply if run_control.live_supervisor(project) else f"{reply}; p starts the run"


def resume(project: Project) -> str:
    """Resume the run; start a supervisor if none is alive: a paused run may have been stopped."""
    from engine.operations import run_control
    from engine.requests.kinds import Resume

    reply = run_control.send_request(project, Resume()).text
    return reply if run_control.live_supervisor(project) else start(project)


def retry_failed(project: Project) -> str:
    """Retry every shard that failed."""
    from engine.project.selectors import select_tasks
    from engine.requests.kinds import Retry

    return send_request(project, Retry(tasks=select_tasks(project, (), ())))


def ask_again(
    project: Project, names: str, changes: Mapping[str, str], tasks: Sequence[int]
) -> str:
    """Ask again for the captions of tasks that have one of the named defects."""
    from engine.operations import bad_captions

    bad = bad_captions.parse_names(names)
    return with_start_hint(project, bad_captions.ask_again(project, bad, changes, tasks=tasks))


def retry_cause(project: Project, cause: Cause) -> str:
    from engine.operations import failure_causes

    return with_start_hint(project, failure_causes.retry_cause(project, cause))


def retry_records(project: Project, tasks: Sequence[int]) -> str:
    """Retry the failed records of tasks, where an image can be read."""
    from engine.operations import failure_causes

    return with_start_hint(project, failure_causes.retry_failed_records(project, tasks))


def exclude_cause(project: Project, cause: Cause) -> str:
    from engine.operations import failure_causes

    return failure_causes.exclude_cause(project, cause)


def flag(project: Project, keys: Sequence[RecordKey], flagged: bool | None) -> str:
    """Flag these records, or remove their flags; None turns each flag over.

    Returns an empty text: the screen shows the flag.
    """
    from engine.requests.kinds import Flag

    send_request(project, Flag(records=list(keys), flagged=flagged))
    return ""


def rate(
    project: Project,
    keys: Sequence[RecordKey],
    model: str,
    rating: Rating | None,
    settings_hash: str = "",
) -> str:
    """Rate the captions that a model made of records; None takes their ratings away.

    `settings_hash` is that of the settings that made them, where the model has others.
    """
    from engine.requests.kinds import Rate

    good, reason = rating or (None, "")
    request = Rate(list(keys), model, good, reason, settings_hash)
    send_request(project, request)
    return ""


def undo(project: Project) -> str:
    """Undo the last change that a person made."""
    from engine.operations.undo_last import undo_last

    return undo_last(project)


def keep_pilot(project: Project, findings: PilotFindings, model: str | None = None) -> str:
    """Keep what a pilot showed of a model, or of all; return an empty text: the pilot shows it."""
    from engine.operations.pilot import keep_figures

    keep_figures(project, findings, [] if model is None else [model])
    return ""


def keep_pilot_ratings(project: Project, findings: PilotFindings) -> int:
    """Give a new project the ratings of the pilot before it; return how many do not fit."""
    from engine.operations.pilot_ratings import keep_ratings

    return keep_ratings(project, findings)


def exclude_records(project: Project, chosen: RecordSelection) -> str:
    from engine.operations import failure_causes

    return failure_causes.exclude_records(project, chosen)


def open_image(project: Project, image: str) -> str:
    """Open an image with the desktop's program. Raises `ImageProblem`, `RequestRefused`."""
    from engine.operations.records import image_path

    path = image_path(project, image)
    if not Path(path).is_file():
        raise RequestRefused(f"there is no file {path}")
    opener = next((each for each in map(shutil.which, OPENERS) if each), None)
    if opener is None or not any(
        map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "TERM_PROGRAM"))
    ):
        raise RequestRefused(f"no desktop to open it with; the file is {path}")
    subprocess.Popen(  # noqa: S603 (the desktop's own opener, on a file)
        [opener, path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return f"opened {path}"


def write_failures(
    project: Project, out: Path, cause: Cause | None, force: bool, tell: bool = True
) -> str:
    """Write the failures as CSV; `tell` is as in `export`."""
    from engine.operations.failure_report import write_csv

    count = write_csv(project, out, cause, force, tell)
    return f"{count:,} failures are in {out}"


def export(
    project: Project,
    out: Path,
    options: ExportOptions,
    progress: Callable[[ExportProgress], None],
    cancelled: Callable[[], bool],
    tell: bool = True,
) -> str:
    """Write an export. The tracker is told of damage that is found, unless `tell` is False."""
    from engine.datasets.exports.export import UnfinishedTasks
    from engine.datasets.exports.export import export as write_export
    from engine.operations.damage import describe_damage, telling_damage
    from engine.operations.exports_made import tell_export

    try:
        with telling_damage(project, tell):
            result = write_export(project, out, options, progress, cancelled, not tell)
        if tell:
            tell_export(project, result, options.format)
    except UnfinishedTasks as error:
        tasks = str(error).partition(": ")[0]
        message = f"{tasks}: run them, or tick 'Allow partial' for what there is"
        raise RequestRefused(message) from error
    more = list(result.hints)
    if result.damage:
        more.append(describe_damage(project, result.damage, tell))
    return ". ".join(
        (
            f"{plural(result.captions, 'caption')} of {plural(result.records, 'record')}"
            f" ({size(result.bytes)}) in {result.path}: {result.sum_line()}",
            *more,
        )
    )


def count_export(
    project: Project,
    options: ExportOptions,
    cancelled: Callable[[], bool],
    readonly: bool,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> str:
    """Return in one line what an export would hold. Raises `ExportCancelled`, `BadInput`.

    `progress` gets the numbers of shards counted and of all.
    """
    from engine.datasets.exports.export import UnfinishedTasks, count_captions
    from engine.project.damage import DamagedFiles
    from tui.formatting.export_count import count_line

    try:
        # What is there so far: the dialog says beside it what is unfinished.
        options = replace(options, allow_partial=True)
        return count_line(
            count_captions(
                project,
                options,
                None,
                lambda counted: progress(counted.shards_done, counted.shards),
                cancelled,
                readonly,
            )
        )
    except (DamagedFiles, UnfinishedTasks) as error:
        raise BadInput(str(error)) from error


def never() -> bool:
    """Stands for what nobody cancels but by ending its process."""
    return False


def export_command(project: Project, out: str, options: ExportOptions) -> str:
    """Return the command line that writes the same export."""
    folder = relative_to_cwd(project.folder)
    parts = ["mllmaug-tui export", shell_argument(folder), shell_argument(out)]
    if options.format != "json":
        parts.append(f"--format {options.format}")
    parts += [f"--model {quote(name)}" for name in options.models]
    parts += ["--with-original"] * options.with_original
    if options.image_root is not None:
        parts.append(f"--image-root {quote(options.image_root)}")
    parts += [f"--path-map {quote(f'{old}={new}')}" for old, new in options.path_map]
    parts += options.filter_arguments()
    parts += ["--provenance"] * options.provenance
    parts += ["--uid"] * options.uid
    parts += ["--captions-list"] * options.captions_list
    parts += ["--quality-columns"] * options.quality_columns
    if options.quality_columns and "other_script" not in options.quality.without:
        parts.append(f"--language {options.quality.language}")
    if options.text is not None:
        parts.append(f"--text {quote(options.text)}")
    if options.images is not None:
        parts.append(f"--images {options.images}")
    if options.encode is not None:
        parts.append(f"--encode {quote(options.encode)}")
    if options.max_side is not None:
        parts.append(f"--max-side {options.max_side}")
    if options.tar_bytes is not None:
        parts.append(f"--tar-size {options.tar_bytes}")
    parts += ["--keep-unreadable"] * options.keep_unreadable
    return " ".join([*parts, *["--allow-partial"] * options.allow_partial])


def shell_argument(path: str) -> str:
    """Return a path quoted for a shell, and so that it is never read as an option."""
    return quote(f"./{path}" if path.startswith("-") else path)


def relative_to_cwd(path: Path) -> str:
    """Return a path relative to the current folder if it lies under it, else as it is."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
