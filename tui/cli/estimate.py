"""The command `estimate`: what a run takes before it begins."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.utils.errors import BadInput
from engine.utils.plurals import plural
from tui.cli.options import File, Folder
from tui.cli.requests import echo, open_project
from tui.formatting import text

if TYPE_CHECKING:
    from db.rows import ModelRow
    from engine.captioners.registry import ModelChoice
    from engine.operations.estimate import Estimate, ModelEstimate, Target

MEASURED = {
    "pilot": "measured by the pilot",
    "layers": "calculated; some layers were timed on this machine",
    "roofline": "calculated from published figures of the GPU (roofline), not measured",
    None: "not known",
}
"""What is said of each basis of an estimate."""


@click.command()
@click.argument("folder", metavar="[PROJECT]", type=Folder, required=False)
@click.option(
    "--images", type=click.IntRange(min=1), help="Number of images (those of the project)."
)
@click.option("--model", "models", multiple=True, metavar="NAME=[FAMILY:]CHECKPOINT")
@click.option("--set", "settings", multiple=True, metavar="MODEL.KEY=VALUE")
@click.option(
    "--sample", type=File, help="A folder of similar images (default: drawn from the project)."
)
@click.option("--devices", default="auto", help="Devices of this machine: auto, cpu, cpu:N or 0,1.")
@click.option("--gpu", metavar="NAME", help="A GPU of another machine, such as a100-80gb or l4.")
@click.option("--gpus", default=1, type=click.IntRange(min=1), help="Number of such GPUs (1).")
@click.option("--price", type=click.FloatRange(min=0), help="Price of one device per hour.")
@click.option("--json", "as_json", is_flag=True)
def estimate(
    folder: Path | None,
    images: int | None,
    models: tuple[str, ...],
    settings: tuple[str, ...],
    sample: Path | None,
    devices: str,
    gpu: str | None,
    gpus: int,
    price: float | None,
    as_json: bool,
) -> None:
    """Estimate the time, memory, disk and money of a run.

    Name a project, or --images and --model. Figures of the pilot are used if there are any.
    Otherwise some layers of each model are timed on this machine for a few seconds, or its work is
    divided by a GPU's published figures. No image is captioned.
    """
    from db import projects
    from db.connection import reading
    from engine.captioners.registry import choose_all
    from engine.operations import estimate as operation

    if (folder is None) == (not models):
        raise BadInput("name a project, or --model with --images")
    if folder is not None:
        project = open_project(folder)
        with reading(project.database) as connection:
            known = projects.models(connection)
            images = images or projects.project(connection).records
        samples = samples_in(sample) if sample else operation.samples_of(project)
        chosen: list[ModelChoice | ModelRow] = [*known]
    else:
        if images is None:
            raise BadInput("give the number of images with --images N")
        samples = samples_in(sample) if sample else []
        chosen = [*choose_all(models, None, settings)]
    found = operation.estimate(images, chosen, target_of(devices, gpu, gpus), samples, price)
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    for line in estimate_lines(found):
        echo(line)


def samples_in(folder: Path) -> list[str]:
    """Return the paths of a few images in a folder. Raises `BadInput`."""
    from engine.images.formats import image_suffixes
    from engine.operations.estimate import IMAGES_LOOKED_AT

    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in image_suffixes())
    if not files:
        raise BadInput(f"--sample {folder}: there are no images")
    return [str(file.absolute()) for file in files[:IMAGES_LOOKED_AT]]


def target_of(devices: str, gpu: str | None, gpus: int) -> Target:
    """Return the devices that the options name. Raises `BadInput`."""
    from db.rows import DeviceRow
    from engine.hardware.devices import find_devices
    from engine.hardware.gpu_models import gpu_model
    from engine.operations.estimate import Target, this_machine

    if gpu is not None:
        return Target(count=gpus, device=DeviceRow(id="cuda:0", label=gpu), gpu=gpu_model(gpu))
    return this_machine(find_devices(devices))


def estimate_lines(found: Estimate) -> list[str]:
    """Return an estimate in lines of text."""
    lines = [f"{plural(found.images, 'image')} on {found.devices} x {found.device}"]
    lines += [f"  {model.name}: {model_line(model)}" for model in found.models]
    total = "not known" if found.seconds is None else f"about {text.duration(found.seconds)}"
    money = "" if found.money is None else f", {found.money:,.2f} at this price"
    unknown = [model.name for model in found.models if model.seconds is None]
    without = f" without {', '.join(unknown)}" if unknown and found.seconds is not None else ""
    lines.append(
        f"in all {total}{without}{money}; the captions take {text.size(found.disk)} of disk"
    )
    return lines


def model_line(model: ModelEstimate) -> str:
    """Return what one model takes, in one line."""
    parts = []
    if model.images_per_second and model.seconds is not None:
        parts.append(f"{text.rate(model.images_per_second)} images/s on a device")
        parts.append(text.duration(model.seconds))
    if model.memory is not None:
        batch = f" with a batch of {model.batch}" if model.batch else ""
        parts.append(f"{text.size(model.memory)} of memory{batch}")
    parts.append(MEASURED[model.basis])
    parts += [model.note] * bool(model.note)
    return ", ".join(parts)
