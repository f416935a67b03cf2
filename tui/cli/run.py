"""Commands on the run: start, watch, pause, resume and stop it; pin and wake its devices."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine.utils.errors import BadInput
from tui.cli.options import Output, project_argument
from tui.cli.requests import echo, is_readonly, open_project, send_request, warn_of_config


@click.command()
@project_argument
@click.option(
    "--devices", help="auto, cpu, cpu:N or GPU numbers such as 0,1 (those of the last run)."
)
@click.option("--cluster", metavar="auto|ADDRESS", help="Run on an existing Ray cluster.")
@click.option(
    "--ship-images", is_flag=True, help="Send images to nodes that cannot read the image root."
)
@click.option(
    "--allow-outside",
    is_flag=True,
    help="Send images outside the image root to servers, in this and your later runs.",
)
@click.option(
    "--allow-commands",
    is_flag=True,
    help="Run the commands that the models name, in this and your later runs.",
)
@click.option(
    "--no-health-stop",
    is_flag=True,
    help="Do not stop models with many bad captions (default: as in `config.toml`).",
)
@click.option("--detach", is_flag=True, help="Start the run in the background and return.")
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
    """Caption what is left, with progress bars.

    If the project is running already, the command shows the progress of that run. The run uses the
    devices of the last run unless --devices or --cluster name others.
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
        raise BadInput(
            "--ship-images needs --cluster: workers of this machine read the same files as you"
        )
    project = open_project(folder)
    warn_of_config()
    if allow_outside:
        outside_images.allow_in(project)
        if live_supervisor(project) is not None:
            echo(
                "the current run obeys only for models that it has not loaded yet:"
                " 'stop' it, 'run' again"
            )
    if allow_commands:
        own_commands.allow_in(project)
    if no_health_stop and live_supervisor(project) is not None:
        echo("the current run goes on as it was started: 'stop' it, 'run' again")
    if devices is not None:
        refuse_other_devices(project, devices)
    chosen_devices = devices or devices_of_last_run(project)
    start = start_detached if detach else attach_or_run
    sys.exit(start(project, chosen_devices, False if no_health_stop else None))


@click.command()
@project_argument
@click.option("--json", "as_json", is_flag=True)
@click.option("--follow", "follows", is_flag=True, help="Print lines until the run ends.")
@click.option(
    "--interval",
    type=click.FloatRange(min=1, max=86_400),
    metavar="SECONDS",
    help="Seconds between two lines of --follow (60).",
)
@click.option(
    "--prometheus",
    type=Output,
    metavar="FILE",
    help="Write metrics for the textfile collector, too, over those of before.",
)
def status(
    folder: Path, as_json: bool, follows: bool, interval: float | None, prometheus: Path | None
) -> None:
    """Show the state and progress of a project.

    --follow ends with the run. The exit code is 0 if no task is left then, else 1.
    """
    from engine.notices.run_end import tell_what_is_due
    from tui.cli.follow import LINE_SECONDS, follow, print_status, write_metrics
    from tui.cli.output import failure_lines, status_lines
    from tui.viewmodel.snapshot_reader import read_snapshot

    if interval is not None and not follows:
        raise BadInput("--interval needs --follow")
    project = open_project(folder)
    warn_of_config()
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
    """Pause the run until `resume`; models stay loaded."""
    from engine.requests.kinds import Pause

    send_request(open_project(folder), Pause())


@click.command()
@project_argument
def resume(folder: Path) -> None:
    """Go on after `pause`, or after the run paused itself.

    Models that wait for their server are tried at once.
    """
    from engine.requests.kinds import Resume

    send_request(open_project(folder), Resume())


@click.command()
@project_argument
@click.option("--after-shard", is_flag=True, help="Finish the running shards first.")
def stop(folder: Path, after_shard: bool) -> None:
    """End the run; `run` goes on from there later."""
    from engine.requests.kinds import Stop

    send_request(open_project(folder), Stop(after_shard=after_shard))


@click.command()
@project_argument
@click.argument("device")
@click.argument("model")
def pin(folder: Path, device: str, model: str) -> None:
    """Have DEVICE work on MODEL alone.

    DEVICE is a name that `status` shows, such as cuda:0.
    """
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
    """Have DEVICE, which rests after failures, work again."""
    from engine.project.selectors import check_device
    from engine.requests.kinds import Wake

    project = open_project(folder)
    check_device(project, device)
    send_request(project, Wake(device=device))
