"""The built-in demonstration: scenes are drawn, a project is made of them, and it is run."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from engine.captioners.registry import choose
from engine.datasets.exports.export import export
from engine.demo import checkpoint, scenes
from engine.operations.new_project import NewProject, create
from engine.operations.records import read_samples
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.utils.errors import BadInput
from tui.cli.headless_run import attach_or_run
from tui.cli.output import export_lines, sample_lines
from tui.formatting.escape import visible

MODELS = ("minigpt-4", "otter", "qwen-vl", "llava-1.5")
SHARDS = 8
SEED = 1


def make_demo(folder: Path, images: int) -> Project:
    """The project in `folder`, drawn anew unless it is there already. Raises `BadInput`."""
    if (folder / "project.db").is_file():
        return open_project(folder)
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder} is not empty: name another folder for the demo")
    try:
        scenes.write(folder, images, SEED)
        models = [choose(f"{name}={checkpoint(name)}") for name in MODELS]
        wanted = NewProject([folder / "captions.json"], models, shards=min(SHARDS, images))
        return create(folder, wanted).project
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def run_headless(project: Project, devices: str) -> int:
    """Captions, shows a few captions, exports; the exit code."""
    code = attach_or_run(project, devices)
    if code:
        return code
    for sample in read_samples(project, 3):
        for line in sample_lines(sample):
            click.echo(visible(line))
    for line in export_lines(export(project, project.folder / "merged.json")):
        click.echo(visible(line))
    return 0
