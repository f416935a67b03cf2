"""The run: started, watched, paused and ended."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from engine.utils.errors import BadInput
from tui.cli.options import project_argument
from tui.cli.requests import answer, opened, say


@click.command()
@project_argument
@click.option("--devices", help="auto, cpu, cpu:N or GPU numbers: 0,1; else as the last run.")
@click.option("--cluster", metavar="auto|ADDRESS", help="On a Ray cluster that runs already.")
@click.option("--ship-images", is_flag=True, help="To nodes that do not see the images' folder.")
@click.option("--detach", is_flag=True, help="Start it and return; it goes on by itself.")
def run(
    project: Path, devices: str | None, cluster: str | None, ship_images: bool, detach: bool
) -> None:
    """Caption what is left, with progress bars; attaches if the project is running already.

    Goes on where it ran last unless --devices or --cluster say otherwise.
    """
    from engine.launchers.factory import cluster_spec
    from tui.cli.headless_run import as_last_time, attach_or_run, start_detached

    if cluster is not None:
        devices = cluster_spec(cluster, devices or "auto", ship_images)
    elif ship_images:
        raise BadInput("--ship-images goes with --cluster: here the workers see what you see")
    found = opened(project)
    place = devices or as_last_time(found)
    sys.exit((start_detached if detach else attach_or_run)(found, place))


@click.command()
@project_argument
@click.option("--json", "as_json", is_flag=True)
def status(project: Path, as_json: bool) -> None:
    """Where the project stands."""
    from tui.cli.output import failure_lines, status_lines
    from tui.viewmodel import snapshot

    found = opened(project)
    taken = snapshot.read(found)
    if as_json:
        click.echo(json.dumps(snapshot.status(taken)))
    else:
        for line in (*status_lines(taken), *failure_lines(found)):
            say(line)


@click.command()
@project_argument
def pause(project: Path) -> None:
    """No new batches until `resume`; models stay loaded."""
    answer(opened(project), "pause")


@click.command()
@project_argument
def resume(project: Path) -> None:
    """Go on after `pause`, or after the run paused itself."""
    answer(opened(project), "resume")


@click.command()
@project_argument
@click.option("--after-shard", is_flag=True, help="Let the running shards end first.")
def stop(project: Path, after_shard: bool) -> None:
    """End the run; `run` goes on where it was."""
    answer(opened(project), "stop", after_shard=after_shard)


@click.command()
@project_argument
@click.argument("device")
@click.argument("model")
def pin(project: Path, device: str, model: str) -> None:
    """Have DEVICE (as `status` names it, such as cuda:0) work on MODEL alone."""
    answer(opened(project), "pin", device=device, model=model)


@click.command()
@project_argument
@click.argument("device")
def unpin(project: Path, device: str) -> None:
    """Let DEVICE take any model again."""
    answer(opened(project), "pin", device=device, model=None)


@click.command()
@project_argument
@click.argument("device")
def wake(project: Path, device: str) -> None:
    """Have DEVICE work again that rests after failures."""
    answer(opened(project), "wake", device=device)
