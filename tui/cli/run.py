"""Commands on the run: start, watch, pause, resume and stop it; pin and wake its devices."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine.utils.errors import BadInput
from tui.cli.options import Output, project_argument
from tui.cli.requests import echo, is_readonly, open_project, send_request


@click.command()
@project_argument
@click.option("--devices", help="auto, cpu, cpu:N or GPU numbers: 0,1; else as the last run.")
@click.option("--cluster", metavar="auto|ADDRESS", help="On a Ray cluster that runs already.")
@click.option("--ship-images", is_flag=True, help="To nodes that do not see the images' folder.")
@click.option(
    "--allow-outside",
    is_flag=True,
    help="Servers get images outside the image root too, in this and later runs of yours.",
)
@click.option(
    "--allow-commands",
    is_flag=True,
    help="Models may run the commands that the project names, in this and later runs of yours.",
)
@click.option(
    "--no-health-stop",
    is_flag=True,
    help="Stop no model whose captions are bad (otherwise: as `config.toml` says).",
)
@click.option("--detach", is_flag=True, help="Start it and return; it goes on by itself.")
def run(
    folder: Path,
    devices: str | None,
    cluster: str | None,
    ship_images: bool,
    allow_outside: bool,
    allow_commands: bool,
    no_health_stop: bool,
    detach: bool,
) -> None:
    """Caption what is left, with progress bars; attaches if the project is running already.

    Goes on where it ran last unless --devices or --cluster say otherwise.
    """
    from engine.launchers.factory import cluster_spec
    from engine.operations.run_control import live_supervisor
    from engine.project import outside_images, own_commands
    from tui.cli.headless_run import (
        attach_or_run,
        devices_of_last_run,
        refuse_other_devices,
        start_detached,
    )

    if cluster is not None:
        devices = cluster_spec(cluster, devices or "auto", ship_images)
    elif ship_images:
        raise BadInput("--ship-images goes with --cluster: here the workers see what you see")
    project = open_project(folder)
    if allow_outside:
        outside_images.allow_in(project)
        if live_supervisor(project) is not None:
            echo("the run that there is heeds it only where it loads a model: 'stop' it, run again")
    if allow_commands:
        own_commands.allow_in(project)
    if no_health_stop and live_supervisor(project) is not None:
        echo("the run that there is goes on as it was started: 'stop' it, run again")
    if devices is not None:
        refuse_other_devices(project, devices)
    chosen_devices = devices or devices_of_last_run(project)
    start = start_detached if detach else attach_or_run
    sys.exit(start(project, chosen_devices, False if no_health_stop else None))


@click.command()
@project_argument
@click.option("--json", "as_json", is_flag=True)
@click.option("--follow", "follows", is_flag=True, help="A line now and then until the run ends.")
@click.option(
    "--interval",
    type=click.FloatRange(min=1, max=86_400),
    metavar="SECONDS",
    help="With --follow: between two lines (60).",
)
@click.option(
    "--prometheus",
    type=Output,
    metavar="FILE",
    help="Write metrics for the textfile collector, too, in place of those there.",
)
def status(
    folder: Path, as_json: bool, follows: bool, interval: float | None, prometheus: Path | None
) -> None:
    """Where the project stands.

    --follow ends with the run, with exit code 0 if no task is left then, else 1.
    """
    from engine.notices.run_end import tell_what_is_due
    from tui.cli.follow import LINE_SECONDS, follow, print_status, write_metrics
    from tui.cli.output import failure_lines, status_lines
    from tui.viewmodel.snapshot_reader import read_snapshot

    if interval is not None and not follows:
        raise BadInput("--interval goes with --follow")
    project = open_project(folder)
    if follows:
        sys.exit(follow(project, interval or LINE_SECONDS, as_json, prometheus))
    snapshot = read_snapshot(project)
    if not is_readonly():
        tell_what_is_due(project)
    if prometheus is not None:
        write_metrics(project, snapshot, prometheus)
    if as_json:
        print_status(snapshot, as_json)
    else:
        for line in (*status_lines(snapshot), *failure_lines(project)):
            echo(line)


@click.command()
@project_argument
def pause(folder: Path) -> None:
    """No new batches until `resume`; models stay loaded."""
    from engine.requests.kinds import Pause

    send_request(open_project(folder), Pause())


@click.command()
@project_argument
def resume(folder: Path) -> None:
    """Go on after `pause`, or after the run paused itself; try models that wait at once."""
    from engine.requests.kinds import Resume

    send_request(open_project(folder), Resume())


@click.command()
@project_argument
@click.option("--after-shard", is_flag=True, help="Let the running shards end first.")
def stop(folder: Path, after_shard: bool) -> None:
    """End the run; `run` goes on where it was."""
    from engine.requests.kinds import Stop

    send_request(open_project(folder), Stop(after_shard=after_shard))


@click.command()
@project_argument
@click.argument("device")
@click.argument("model")
def pin(folder: Path, device: str, model: str) -> None:
    """Have DEVICE (as `status` names it, such as cuda:0) work on MODEL alone."""
    from engine.project.selectors import check_device, check_model
    from engine.requests.kinds import Pin

    project = open_project(folder)
    check_device(project, device)
    check_model(project, model)
    send_request(project, Pin(device=device, model=model))


@click.command()
@project_argument
@click.argument("device")
def unpin(folder: Path, device: str) -> None:
    """Let DEVICE take any model again."""
    from engine.project.selectors import check_device
    from engine.requests.kinds import Pin

    project = open_project(folder)
    check_device(project, device)
    send_request(project, Pin(device=device, model=None))


@click.command()
@project_argument
@click.argument("device")
def wake(folder: Path, device: str) -> None:
    """Have DEVICE work again that rests after failures."""
    from engine.project.selectors import check_device
    from engine.requests.kinds import Wake

    project = open_project(folder)
    check_device(project, device)
    send_request(project, Wake(device=device))
