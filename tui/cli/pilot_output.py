"""The output of `pilot`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from engine.operations.pilot_table import pilot_lines
from tui.cli.output import mark_cuts
from tui.cli.requests import echo
from tui.formatting import text
from tui.formatting.escape import visible
from tui.formatting.pilot_table import LEGEND, table_lines

if TYPE_CHECKING:
    from engine.operations.pilot import PilotFindings
    from engine.operations.records import SampledCaption


def findings_dict(findings: PilotFindings) -> dict[str, Any]:
    """Return the JSON object that `pilot --json` prints."""
    plan = findings.plan
    return {
        "records": plan.total,
        "devices": plan.devices,
        "models": [line.as_dict() for line in pilot_lines(findings)],
        "seconds": findings.seconds,
        "images": [image.as_dict() for image in findings.images()],
    }


def print_findings(findings: PilotFindings) -> None:
    """Print the captions as a table with a column a model, then a line a model with what counts,
    then the total."""
    plan = findings.plan
    names = [name for name, _ in plan.jobs]
    headings = ("image", "original", *names)
    table = Table(*(Column(plain(name)) for name in headings), show_lines=True)
    for image in findings.images():
        by_model = {caption.model: caption for caption in image.captions}
        cells = (caption_text(by_model.get(name)) for name in names)
        table.add_row(plain(image.image), plain(image.original), *cells)
    Console().print(table)
    lines = pilot_lines(findings)
    for row in table_lines(lines, findings.errors):
        echo(row)
    echo(LEGEND)
    for line in lines:
        for news in line.health:
            echo(f"CHECK {line.name}: {news}")
    counted = f"{text.plural(plan.total, 'record')} on {text.plural(plan.devices, 'device')}"
    seconds = findings.seconds
    if seconds is not None:
        end = text.day_and_clock(time.time() + seconds)[:-3]
        echo(f"{counted}: about {text.duration(seconds)} in all, until {end}")


def caption_text(caption: SampledCaption | None) -> Text:
    if caption is None:
        return plain("-")
    if caption.raw is None:
        return plain(f"failed, {caption.error}")
    return plain(mark_cuts(caption.raw, caption.start, caption.end))


def plain(content: str) -> Text:
    """Return text from outside for a table: no markup, control characters made visible."""
    return Text(visible(content))
