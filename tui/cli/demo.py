"""`mllmaug-tui demo --headless`: the built-in demonstration without the application."""

from __future__ import annotations

import click

from engine.datasets.exports.export import ExportOptions, export
from engine.operations.exports_made import tell_export
from engine.operations.records import read_samples
from engine.project.layout import Project
from tui.cli.headless_run import attach_or_run
from tui.cli.output import export_lines, sample_lines
from tui.formatting.escape import visible


def run_headless(project: Project, devices: str) -> int:
    """Run the project, print a few captions and export; return the exit code."""
    code = attach_or_run(project, devices)
    if code:
        return code
    for sample in read_samples(project, 3):
        for line in sample_lines(sample):
            click.echo(visible(line))
    options = ExportOptions(force=True)
    result = export(project, project.folder / "merged.json", options)
    tell_export(project, result, options.format)
    for line in export_lines(result):
        click.echo(visible(line))
    return 0
