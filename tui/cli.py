"""The command line: parse, call `engine` or `db`, print. Torch and Textual are imported late."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from db.rows import SHEAR_MODES, ShearMode
from engine.datasets.formats import FORMATS, Images
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


def column_options(command: Any) -> Any:
    """For inputs with named columns: CSV, TSV, Parquet."""
    for option in (
        click.option("--caption-column", metavar="NAME", help="Default: caption, title or text."),
        click.option("--image-column", metavar="NAME", help="Default: image, filepath, ..."),
    ):
        command = option(command)
    return command


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
@click.option("--preset", metavar="NAME", help="paper (the default) or official.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="MODEL.KEY=VALUE",
    help="Another setting for a model, as `set` takes it; may be given several times.",
)
@click.option("--shard-size", type=click.IntRange(min=1), help="Records a shard (10,000).")
@click.option("--shards", type=click.IntRange(min=1), help="Cut into this many equal shards.")
@click.option("--allow-outside", is_flag=True, help="Image paths may climb out of the root.")
@click.option("--allow-missing", is_flag=True, help="Although no image is there yet.")
@column_options
@click.option("--check-images", is_flag=True, help="Open and decode every image, not a sample.")
def new(
    project: Path,
    captions: tuple[Path, ...],
    image_root: Path | None,
    path_map: tuple[tuple[str, str], ...],
    models: tuple[str, ...],
    preset: str | None,
    settings: tuple[str, ...],
    shard_size: int | None,
    shards: int | None,
    allow_outside: bool,
    allow_missing: bool,
    image_column: str | None,
    caption_column: str | None,
    check_images: bool,
) -> None:
    """Make PROJECT from captions: JSON, JSON Lines, CSV, TSV, Parquet, folders, WebDataset tars."""
    from engine.captioners.registry import choose_all
    from engine.datasets.create import NewProject, create
    from tui.headless import created_lines
    from tui.progress import counting, stepping

    if shard_size is not None and shards is not None:
        raise BadInput("give --shard-size or --shards, not both")
    chosen = choose_all(models, preset, settings)
    wanted = NewProject(
        captions,
        chosen,
        image_root,
        path_map,
        shard_size,
        shards,
        allow_outside,
        allow_missing,
        image_column,
        caption_column,
        check_images,
    )
    with counting("reading records") as progress, stepping("checking images") as checking:
        created = create(project, wanted, progress, checking)
    say(
        f"{project}: {created.records:,} records in {created.shards:,} shards, {len(chosen)} models"
    )
    for line in created_lines(created):
        warn(line)
    warn_file_system(created.project.folder)


def warn_file_system(folder: Path) -> None:
    from engine.doctor import network_file_system

    kind = network_file_system(folder)
    if kind:
        warn(
            f"{folder} lies on {kind}: SQLite's locks are unsafe on some network file systems;"
            " a local disk is better for the project (images may stay where they are)"
        )


@cli.command("set")
@project_argument
@click.argument("model")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE...")
def set_model(project: Path, model: str, changes: tuple[str, ...]) -> None:
    """Change how MODEL is asked: prompt, preset, batch, dtype, seed, ...

    Settings that shape what the model says begin its tasks anew, in another folder; what was
    captioned so far stays on disk. Not while the project runs.
    """
    from engine.captioners.settings import pair
    from engine.configure import check

    found = opened(project)
    read = dict(pair(text) for text in changes)
    check(found, model, read)
    answer(found, "set", model=model, changes=read)


@cli.command()
@project_argument
@click.option("--devices", default="auto", help="auto, cpu, cpu:N or GPU numbers: 0,1")
@click.option("--cluster", metavar="auto|ADDRESS", help="On a Ray cluster that runs already.")
@click.option("--ship-images", is_flag=True, help="To nodes that do not see the images' folder.")
@click.option("--detach", is_flag=True, help="Start it and return; it goes on by itself.")
def run(project: Path, devices: str, cluster: str | None, ship_images: bool, detach: bool) -> None:
    """Caption what is left, with progress bars; attaches if the project is running already."""
    from engine.launchers.choose import cluster_spec
    from tui.headless import attach_or_run, start_detached

    if cluster is not None:
        devices = cluster_spec(cluster, devices, ship_images)
    elif ship_images:
        raise BadInput("--ship-images goes with --cluster: here the workers see what you see")
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
@click.option("--format", "form", default="json", metavar="F", help=f"{', '.join(FORMATS)} (json).")
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only these models.")
@click.option("--with-original", is_flag=True, help="The original caption first.")
@click.option("--image-root", metavar="NEW", help="Put before relative image paths.")
@path_map_option
@click.option("--allow-partial", is_flag=True, help="Although tasks are not done.")
@click.option("--min-words", default=0, type=click.IntRange(min=0), help="Leave out shorter ones.")
@click.option("--only-finished", is_flag=True, help="Leave out sentences that the token cap cut.")
@click.option("--provenance", is_flag=True, help="Model, checkpoint, prompt, seed and finish.")
@click.option("--images", type=click.Choice(["copy", "link", "none"]), help="For wds and hf.")
def export(
    project: Path,
    out: Path,
    form: str,
    models: tuple[str, ...],
    with_original: bool,
    image_root: str | None,
    path_map: tuple[tuple[str, str], ...],
    allow_partial: bool,
    min_words: int,
    only_finished: bool,
    provenance: bool,
    images: Images | None,
) -> None:
    """Write the captions: by default one array of {"image", "caption"}, in input order.

    \b
    json       one array of {"image", "caption"}, upstream's form
    jsonl      the same, one object a line
    per-model  a folder with one such array a model
    columns    JSON Lines, an image a line, a key a model
    openclip   TSV of filepath and title (CSV if OUT ends in .csv)
    wds        a folder of WebDataset tars
    laclip     a folder: CSV of the originals, one text file a model
    dreamlip   CSV with a column a model
    llava      LLaVA conversations
    hf         an image folder with metadata.jsonl for Hugging Face datasets
    parquet    one row an image, one column a model
    """
    from engine.datasets.export import ExportOptions, Unfinished
    from engine.datasets.export import export as write
    from tui.headless import export_lines
    from tui.progress import exporting

    options = ExportOptions(
        models,
        with_original,
        image_root,
        path_map,
        allow_partial,
        form,
        min_words,
        only_finished,
        provenance,
        images,
    )
    try:
        with exporting() as progress:
            result = write(opened(project), out, options, progress)
    except Unfinished as unfinished:
        warn(str(unfinished))
        sys.exit(EXIT_UNFINISHED)
    for line in export_lines(result):
        say(line)


@cli.command()
@project_argument
@click.option("--mode", required=True, type=click.Choice(SHEAR_MODES))
@click.option("--max-words", type=click.IntRange(min=1), metavar="N", help="A cap in words.")
def reshear(project: Path, mode: ShearMode, max_words: int | None) -> None:
    """Shear all captions again, from the raw texts and without a GPU, and from now on."""
    from engine.reshear import reshear as shear_again
    from engine.shearing import Shearing
    from tui.progress import stepping

    with stepping("shearing shards") as progress:
        done = shear_again(opened(project), Shearing(mode, max_words), progress)
    empty = f", {done.empty:,} of them to nothing" if done.empty else ""
    say(f"{done.captions:,} captions of {done.shards:,} tasks sheared in mode {mode}{empty}")


@cli.command()
@project_argument
@click.option("--model", "models", multiple=True, metavar="NAME")
@click.option("--json", "as_json", is_flag=True)
def stats(project: Path, models: tuple[str, ...], as_json: bool) -> None:
    """What the captions are like, per model: lengths, cuts, repeats, refusals, prompt leaks."""
    from engine.stats import measure
    from tui.headless import stats_lines
    from tui.progress import stepping

    with stepping("reading shards") as progress:
        found = measure(opened(project), models, progress)
    if as_json:
        click.echo(json.dumps([model.as_dict() for model in found]))
        return
    for line in stats_lines(found):
        say(line)


@cli.command()
@click.argument("captions", type=File)
@click.argument("outdir", type=Folder)
@click.option("--shards", type=click.IntRange(min=1), required=True, metavar="N")
@column_options
def split(
    captions: Path,
    outdir: Path,
    shards: int,
    image_column: str | None,
    caption_column: str | None,
) -> None:
    """Cut CAPTIONS into N JSON arrays of nearly equal size in OUTDIR."""
    from engine.datasets import plain
    from engine.datasets.inputs import Input
    from tui.progress import counting

    with counting("reading records") as progress:
        source = Input(captions, captions.parent, image_column, caption_column)
        parts = plain.split(source, outdir, shards, progress)
    say(f"{outdir}: {len(parts):,} parts, {parts[0].name} to {parts[-1].name}")


@cli.command()
@click.argument("out", type=File)
@click.argument("captions", type=File, nargs=-1, required=True)
@column_options
def merge(
    out: Path, captions: tuple[Path, ...], image_column: str | None, caption_column: str | None
) -> None:
    """Write the records of all CAPTIONS, in this order, as one JSON array."""
    from engine.datasets import plain
    from engine.datasets.inputs import Input
    from tui.progress import counting

    sources = [Input(path, path.parent, image_column, caption_column) for path in captions]
    with counting("merging records") as progress:
        count = plain.merge(sources, out, progress)
    say(f"{out}: {count:,} records of {len(captions)} files")


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
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME=CHECKPOINT",
    help="Load it, caption a drawn picture, compare with golden files where there are any.",
)
@click.option("--set", "settings", multiple=True, metavar="MODEL.KEY=VALUE")
def doctor(project: Path | None, models: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Devices, checkpoints, image paths, disk space, in words."""
    from engine.doctor import examine

    healthy = True
    for finding in examine(opened(project) if project else None, models, settings):
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
