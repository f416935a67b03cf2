"""The entry point `main`: the group of all commands, and the exit code and message of an error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from engine.utils.errors import BadInput, RequestRefused
from tui.cli import (
    application,
    captions,
    estimate,
    files,
    imports,
    machine,
    projects,
    proxy,
    run,
    standard_streams,
    tasks,
    web,
)
from tui.cli.requests import EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_UNFINISHED, warn

COMMANDS: tuple[click.Command, ...] = (
    application.open_application,
    application.demo,
    web.web,
    projects.new,
    projects.set_model,
    projects.add_model,
    run.run,
    run.status,
    run.pause,
    run.resume,
    run.stop,
    run.pin,
    run.unpin,
    run.wake,
    tasks.retry,
    tasks.skip,
    tasks.unskip,
    tasks.priority,
    tasks.exclude,
    tasks.undo,
    tasks.flag,
    tasks.rate,
    tasks.failures,
    imports.import_captions,
    captions.pilot,
    estimate.estimate,
    captions.samples,
    captions.stats,
    captions.quality,
    captions.reshear,
    captions.export,
    captions.verify,
    proxy.proxy,
    proxy.proxy_table,
    files.split,
    files.merge,
    files.paths,
    machine.models,
    machine.doctor,
    machine.hooks,
)


READONLY_COMMANDS = {
    "open",
    "status",
    "failures",
    "pilot",
    "estimate",
    "samples",
    "stats",
    "quality",
    "export",
    "verify",
    "proxy",
    "proxy-table",
    "split",
    "merge",
    "paths",
    "models",
    "doctor",
    "hooks",
    "web",
}
"""Commands that change nothing in a project: `--readonly` allows them."""


NOTHING_WRITTEN = "cancelled: nothing was written"
CANCELLED = {
    **dict.fromkeys(("export", "proxy"), NOTHING_WRITTEN),
    **dict.fromkeys(
        ("estimate", "failures", "paths", "quality", "samples", "stats", "verify"), "cancelled"
    ),
}
"""What is said of commands that a person interrupts. Others say themselves what becomes of them, or
change something meanwhile."""


class OpenByDefault(click.Group):
    """The group of commands, in which `mllmaug-tui FOLDER` is `mllmaug-tui open FOLDER`.

    A folder that has the name of a command is written as a path: `./run`. click-default-group
    would mark `open` in `--help` and take a misspelt command for a folder.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        if args[0].startswith("-") or not Path(args[0]).exists():
            names = ", ".join(sorted(name for name in self.commands if name != "open"))
            raise click.UsageError(f"no such command or folder: {args[0]} (commands: {names})")
        return "open", self.commands["open"], args

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; say what became of its work if it is interrupted."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            if ctx.invoked_subcommand in CANCELLED:
                warn(CANCELLED[ctx.invoked_subcommand])
            raise


@click.group(cls=OpenByDefault, invoke_without_command=True)
@click.version_option(package_name="mllmaug-tui")
@click.option("--readonly", is_flag=True, help="Change nothing in a project.")
@click.pass_context
def cli(ctx: click.Context, readonly: bool) -> None:
    """Caption an image data set with several multimodal LLMs, shear the captions, merge them.

    \b
    mllmaug-tui [PROJECT]     the application
    mllmaug-tui demo          a project with built-in scenes and tiny built-in models
    mllmaug-tui COMMAND -h    everything else, without the application
    """
    if readonly and ctx.invoked_subcommand not in (None, *READONLY_COMMANDS):
        raise click.UsageError(f"--readonly: '{ctx.invoked_subcommand}' would change a project")
    if ctx.invoked_subcommand is None:
        ctx.invoke(application.open_application, folder=None, readonly=readonly)


cli.context_settings["help_option_names"] = ["-h", "--help"]


for command in COMMANDS:
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and end the process.

    Exit codes: 0 done, 1 tasks not done, request refused or output not written, 2 bad input or
    usage, 130 interrupted.
    """
    if not standard_streams.open_all():
        sys.exit(EXIT_UNFINISHED)
    code = exit_code_of(lambda: cli.main(arguments, standalone_mode=False))
    failure = standard_streams.flush()
    sys.exit(code if failure is None else failure)


def exit_code_of(command: Callable[[], Any]) -> int:
    """Run a command and return its exit code. Errors that are no bug are printed as one line."""
    try:
        result = command()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return EXIT_BAD_INPUT
    except Exception as error:
        return report_error(error)
    return result if isinstance(result, int) else 0


def report_error(error: Exception) -> int:
    """Print a foreseen error on stderr and return its exit code; raise any other again."""
    # Imported here: the application's first frame need not wait for them.
    from db.connection import DatabaseBusy, DatabaseError
    from engine.project.lock import ProjectInUse

    if isinstance(error, ProjectInUse):
        warn(f"the project is in use by {error}")
        return EXIT_UNFINISHED
    if isinstance(error, standard_streams.OutputNotWritten):
        return standard_streams.report(error)
    if isinstance(error, OSError):
        where = "" if error.filename is None else f"{error.filename}: "
        warn(f"{where}{error.strerror or error}")
        return EXIT_BAD_INPUT
    if not isinstance(error, (BadInput, DatabaseError, RequestRefused)):
        raise error
    warn(str(error))
    return EXIT_UNFINISHED if isinstance(error, (RequestRefused, DatabaseBusy)) else EXIT_BAD_INPUT


if __name__ == "__main__":
    main()
