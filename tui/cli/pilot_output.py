"""What `pilot` prints."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from tui.cli.output import marked
from tui.cli.requests import say
from tui.formatting import text
from tui.formatting.escape import visible

if TYPE_CHECKING:
    from engine.operations.pilot import Findings
    from engine.operations.records import SampledCaption


def as_dict(findings: Findings) -> dict[str, Any]:
    plan = findings.plan
    return {
        "records": plan.total,
        "devices": plan.devices,
        "models": [
            {
                "name": name,
                "images_per_second": findings.rates.get(name),
                "seconds": findings.seconds_of(name),
                "error": findings.troubles.get(name),
            }
            for name, _ in plan.jobs
        ],
        "seconds": findings.seconds,
        "images": [image.as_dict() for image in findings.images()],
    }


def show(findings: Findings) -> None:
    """The captions as a table with a column a model, then a line a model, then the whole."""
    plan = findings.plan
    names = [name for name, _ in plan.jobs]
    headings = ("image", "original", *names)
    table = Table(*(Column(plain(name)) for name in headings), show_lines=True)
    for image in findings.images():
        said = {caption.model: caption for caption in image.captions}
        cells = (caption_text(said.get(name)) for name in names)
        table.add_row(plain(image.image), plain(image.original), *cells)
    Console().print(table)
    for name in names:
        say(f"{name}: {findings.troubles.get(name) or measured(findings, name)}")
    counted = f"{text.plural(plan.total, 'record')} on {text.plural(plan.devices, 'device')}"
    seconds = findings.seconds
    if seconds is not None:
        end = text.day_and_clock(time.time() + seconds)[:-3]
        say(f"{counted}: about {text.duration(seconds)} in all, until {end}")


def measured(findings: Findings, name: str) -> str:
    rate, seconds = findings.rates.get(name, 0.0), findings.seconds_of(name)
    took = f", {text.duration(seconds)} for all records" if seconds is not None else ""
    return f"{text.rate(rate)} images/s{took}"


def caption_text(caption: SampledCaption | None) -> Text:
    if caption is None:
        return plain("-")
    if caption.raw is None:
        return plain(f"failed, {caption.error}")
    return plain(marked(caption.raw, caption.start, caption.end))


def plain(said: str) -> Text:
    return Text(visible(said))
