"""The output of `pilot`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from tui.cli.output import mark_cuts
from tui.cli.requests import echo
from tui.formatting import text
from tui.formatting.escape import visible

if TYPE_CHECKING:
    from engine.operations.pilot import PilotFindings
    from engine.operations.records import SampledCaption


def findings_dict(findings: PilotFindings) -> dict[str, Any]:
    """Return the JSON object that `pilot --json` prints."""
    plan = findings.plan
    return {
        "records": plan.total,
        "devices": plan.devices,
        "models": [
            {
                "name": name,
                "images_per_second": findings.rates.get(name),
                "seconds": findings.model_seconds(name),
                "error": findings.errors.get(name),
                "health": findings.bad_news(name),
            }
            for name, _ in plan.jobs
        ],
        "seconds": findings.seconds,
        "images": [image.as_dict() for image in findings.images()],
    }


def print_findings(findings: PilotFindings) -> None:
    """Print the captions as a table with a column a model, then a line a model, then the total."""
    plan = findings.plan
    names = [name for name, _ in plan.jobs]
    headings = ("image", "original", *names)
    table = Table(*(Column(plain(name)) for name in headings), show_lines=True)
    for image in findings.images():
        by_model = {caption.model: caption for caption in image.captions}
        cells = (caption_text(by_model.get(name)) for name in names)
        table.add_row(plain(image.image), plain(image.original), *cells)
    Console().print(table)
    for name in names:
        echo(f"{name}: {findings.errors.get(name) or speed(findings, name)}")
        for line in findings.bad_news(name):
            echo(f"CHECK {name}: {line}")
    counted = f"{text.plural(plan.total, 'record')} on {text.plural(plan.devices, 'device')}"
    seconds = findings.seconds
    if seconds is not None:
        end = text.day_and_clock(time.time() + seconds)[:-3]
        echo(f"{counted}: about {text.duration(seconds)} in all, until {end}")


def speed(findings: PilotFindings, name: str) -> str:
    """Return the measured speed of a model and the time that it needs for all records."""
    rate, seconds = findings.rates.get(name, 0.0), findings.model_seconds(name)
    estimate = f", {text.duration(seconds)} for all records" if seconds is not None else ""
    return f"{text.rate(rate)} images/s{estimate}"


def caption_text(caption: SampledCaption | None) -> Text:
    if caption is None:
        return plain("-")
    if caption.raw is None:
        return plain(f"failed, {caption.error}")
    return plain(mark_cuts(caption.raw, caption.start, caption.end))


def plain(content: str) -> Text:
    """Return text from outside for a table: no markup, control characters made visible."""
    return Text(visible(content))
