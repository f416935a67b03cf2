"""The command line: parse, call `engine` or `db`, print. Torch and Textual are imported late."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from engine.errors import BadInput, Refused
from tui.visible import visible

EXIT_UNFINISHED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


class OpenByDefault(click.Group):
    """`mllmaug-tui FOLDER` opens the folder; a folder named like a command is `./run`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        if args[0].startswith("-") or not Path(args[0]).exists():
            names = ", ".join(sorted(name for name in self.commands if name != "open"))
            raise click.UsageError(f"no such command or folder: {args[0]} (commands: {names})")
        return "open", self.commands["open"], args


Folder = click.Path(file_okay=False, path_type=Path)
File = click.Path(path_type=Path)


@click.group(cls=OpenByDefault, invoke_without_command=True)
@click.version_option(package_name="mllmaug-tui")
@click.option("--readonly", is_flag=True, help="Look, but change nothing in the run.")
@click.pass_context
def cli(ctx: click.Context, readonly: bool) -> None:
    """Caption an image data set with several multimodal LLMs, shear the captions, merge them.

    \b
    mllmaug-tui [PROJECT]     the application
    mllmaug-tui demo          the whole way on built-in scenes and tiny built-in models
    mllmaug-tui COMMAND -h    everything else, without the application
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(open_project, project=None, readonly=readonly)


cli.context_settings["help_option_names"] = ["-h", "--help"]


def path_maps(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> Any:
    pairs = []
    for value in values:
        old, equals, new = value.partition("=")
        if not equals or not old:
            raise click.BadParameter(f"{value!r}: write OLD=NEW")
        pairs.append((old, new))
    return tuple(pairs)


path_map_option = click.option(
    "--path-map",
    multiple=True,
    metavar="OLD=NEW",
    callback=path_maps,
    help="Replace this beginning of image paths; may be given several times.",
)
project_argument = click.argument("project", type=Folder)


def opened(folder: Path) -> Any:
    from engine.project import Project

    return Project.open(folder)


def say(text: str) -> None:
    click.echo(visible(text))


def warn(text: str) -> None:
    click.echo(visible(text), err=True)


@cli.command("open", hidden=True)
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


def show(folder: Path | None, readonly: bool = False) -> None:
    """Runs the application until it is closed; another project that it names is opened next."""
    from tui import images, settings
    from tui.app import MllmaugApp

    chosen = settings.read()
    drawing = images.choose(chosen.images)
    app = MllmaugApp(folder, readonly, chosen, drawing)
    while (named := app.run()) is not None:
        app = MllmaugApp(named, readonly, chosen, drawing)
    sys.exit(app.return_code)


@cli.command()
@project_argument
@click.argument("captions", type=File, nargs=-1, required=True)
@click.option("--image-root", type=File, help="Default: the folder of the caption file.")
@path_map_option
@click.option("--model", "models", multiple=True, metavar="NAME[=CHECKPOINT]")
@click.option("--shard-size", type=click.IntRange(min=1), help="Records a shard (10,000).")
@click.option("--shards", type=click.IntRange(min=1), help="Cut into this many equal shards.")
@click.option("--allow-outside", is_flag=True, help="Image paths may climb out of the root.")
@click.option("--allow-missing", is_flag=True, help="Although no image is there yet.")
def new(
    project: Path,
    captions: tuple[Path, ...],
    image_root: Path | None,
    path_map: tuple[tuple[str, str], ...],
    models: tuple[str, ...],
    shard_size: int | None,
    shards: int | None,
    allow_outside: bool,
    allow_missing: bool,
) -> None:
    """Make PROJECT from caption files: upstream's JSON array, or JSON Lines."""
    from engine.captioners.registry import choose
    from engine.datasets.create import NewProject, create
    from tui.progress import counting

    if shard_size is not None and shards is not None:
        raise BadInput("give --shard-size or --shards, not both")
    chosen = [choose(text) for text in models]
    wanted = NewProject(
        captions, chosen, image_root, path_map, shard_size, shards, allow_outside, allow_missing
    )
    with counting("reading records") as progress:
        created = create(project, wanted, progress)
    say(
        f"{project}: {created.records:,} records in {created.shards:,} shards, {len(chosen)} models"
    )
    if created.present < created.looked:
        warn(f"{created.present:,} of the first {created.looked:,} images were found")
    if created.outside:
        warn(
            f"{created.outside:,} image paths climb out of the image root and will fail:"
            " --allow-outside permits them"
        )
    warn_file_system(created.project.folder)


def warn_file_system(folder: Path) -> None:
    from engine.doctor import network_file_system

    kind = network_file_system(folder)
    if kind:
        warn(
            f"{folder} lies on {kind}: SQLite's locks are unsafe on some network file systems;"
            " a local disk is better for the project (images may stay where they are)"
        )


@cli.command()
@project_argument
@click.option("--devices", default="auto", help="auto, cpu, cpu:N or GPU numbers: 0,1")
@click.option("--detach", is_flag=True, help="Start it and return; it goes on by itself.")
def run(project: Path, devices: str, detach: bool) -> None:
    """Caption what is left, with progress bars; attaches if the project is running already."""
    from tui.headless import attach_or_run, start_detached

    code = (start_detached if detach else attach_or_run)(opened(project), devices)
    sys.exit(code)


@cli.command()
@project_argument
@click.option("--json", "as_json", is_flag=True)
def status(project: Path, as_json: bool) -> None:
    """Where the project stands."""
    from tui import snapshot
    from tui.headless import failure_lines, status_lines

    found = opened(project)
    taken = snapshot.read(found)
    if as_json:
        click.echo(json.dumps(snapshot.status(taken)))
    else:
        for line in (*status_lines(taken), *failure_lines(found)):
            say(line)


@cli.command()
@project_argument
@click.option("--model", "models", multiple=True, metavar="NAME")
@click.option("--count", default=8, type=click.IntRange(min=1), help="Images (8).")
@click.option("--json", "as_json", is_flag=True)
def samples(project: Path, models: tuple[str, ...], count: int, as_json: bool) -> None:
    """Captions before and after shearing, of images spread over what is done."""
    from engine.samples import read_samples
    from tui.headless import sample_lines

    found = read_samples(opened(project), count, models)
    if as_json:
        click.echo(json.dumps([sample.as_dict() for sample in found]))
        return
    for sample in found:
        for line in sample_lines(sample):
            say(line)
    if not found:
        say("nothing is captioned yet")


@cli.command()
@project_argument
@click.option("--shard", "shards", multiple=True, type=int, metavar="N")
@click.option("--model", "models", multiple=True, metavar="NAME")
@click.option("--failed-items", is_flag=True, help="Only the failed records.")
def retry(
    project: Path, shards: tuple[int, ...], models: tuple[str, ...], failed_items: bool
) -> None:
    """Do shards again: those named, else every failed one; captions stay until replaced."""
    from engine.selection import select_tasks

    found = opened(project)
    tasks = select_tasks(found, shards, models, failed_items)
    answer(found, "retry", tasks=tasks, failed_items=failed_items)


@cli.command()
@project_argument
def pause(project: Path) -> None:
    """No new batches until `resume`; models stay loaded."""
    answer(opened(project), "pause")


@cli.command()
@project_argument
def resume(project: Path) -> None:
    """Go on after `pause`, or after the run paused itself."""
    answer(opened(project), "resume")


@cli.command()
@project_argument
@click.option("--after-shard", is_flag=True, help="Let the running shards end first.")
def stop(project: Path, after_shard: bool) -> None:
    """End the run; `run` goes on where it was."""
    answer(opened(project), "stop", after_shard=after_shard)


def answer(project: Any, kind: str, **payload: Any) -> None:
    from engine.control import ask

    say(ask(project, kind, **payload))


@cli.command()
@project_argument
@click.argument("out", type=File)
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only these models.")
@click.option("--with-original", is_flag=True, help="The original caption first.")
@click.option("--image-root", metavar="NEW", help="Put before relative image paths.")
@path_map_option
@click.option("--allow-partial", is_flag=True, help="Although tasks are not done.")
def export(
    project: Path,
    out: Path,
    models: tuple[str, ...],
    with_original: bool,
    image_root: str | None,
    path_map: tuple[tuple[str, str], ...],
    allow_partial: bool,
) -> None:
    """Write the merged JSON: one array of {"image", "caption"}, in input order."""
    from engine.datasets.export import ExportOptions, Unfinished
    from engine.datasets.export import export as write
    from tui.headless import export_lines
    from tui.progress import exporting

    options = ExportOptions(models, with_original, image_root, path_map, allow_partial)
    try:
        with exporting() as progress:
            result = write(opened(project), out, options, progress)
    except Unfinished as unfinished:
        warn(str(unfinished))
        sys.exit(EXIT_UNFINISHED)
    for line in export_lines(result):
        say(line)


@cli.command()
@click.option("--json", "as_json", is_flag=True)
def models(as_json: bool) -> None:
    """Families, presets, what a checkpoint folder must hold."""
    from tui.headless import family_dicts, family_lines

    if as_json:
        click.echo(json.dumps(family_dicts()))
    else:
        for line in family_lines():
            say(line)


@cli.command()
@click.argument("project", type=Folder, required=False)
@click.option("--model", "models", multiple=True, metavar="NAME=CHECKPOINT")
def doctor(project: Path | None, models: tuple[str, ...]) -> None:
    """Devices, checkpoints, image paths, disk space, in words."""
    from engine.doctor import examine

    healthy = True
    for finding in examine(opened(project) if project else None, models):
        healthy = healthy and finding.good
        say(f"{'ok   ' if finding.good else 'CHECK'} {finding.text}")
    if not healthy:
        sys.exit(EXIT_UNFINISHED)


@cli.command()
@click.argument("project", type=Folder, default="demo")
@click.option("--images", default=200, type=click.IntRange(min=1), help="Scenes to draw (200).")
@click.option("--headless", is_flag=True, help="Without the application.")
@click.option("--devices", default="auto", help="auto, cpu, cpu:N or GPU numbers: 0,1")
def demo(project: Path, images: int, headless: bool, devices: str) -> None:
    """The whole way on built-in scenes and tiny built-in models, in ./demo."""
    from tui.demo import make_demo, run_headless

    found = make_demo(project, images)
    if headless:
        sys.exit(run_headless(found, devices))
    from engine import control
    from tui import snapshot

    if snapshot.read(found).state != "finished":
        control.start(found, devices)
    show(found.folder)


def main(arguments: list[str] | None = None) -> None:
    """Exit codes: 0 done, 1 tasks not done, 2 bad input or usage, 130 interrupted."""
    try:
        sys.exit(guarded(lambda: cli.main(arguments, standalone_mode=False)))
    except BrokenPipeError:
        sys.exit(0)


def guarded(command: Callable[[], Any]) -> int:
    try:
        result = command()
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return EXIT_BAD_INPUT
    except Exception as error:
        return explained(error)
    return result if isinstance(result, int) else 0


def explained(error: Exception) -> int:
    """Imports what the application's first frame need not wait for."""
    from db.connect import Busy, DatabaseError
    from engine.lock import Held

    if isinstance(error, Held):
        warn(f"the project is in use by {error}")
        return EXIT_UNFINISHED
    if not isinstance(error, (BadInput, DatabaseError, Refused)):
        raise error
    warn(str(error))
    return EXIT_UNFINISHED if isinstance(error, (Refused, Busy)) else EXIT_BAD_INPUT


if __name__ == "__main__":
    main()
