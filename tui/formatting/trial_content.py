"""What a model says with one prompt of the prompt workshop, as Textual `Content`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from engine.operations.pilot_table import PilotLine, pilot_line
from tui.formatting import captions, text

if TYPE_CHECKING:
    from engine.operations.prompt_workshop import PromptTrial


def head_content(trial: PromptTrial | None, remarks: Sequence[str]) -> Content:
    """Return remarks and what counts of the captions of a trial, if there is one."""
    lines = [Content.styled(text.visible(it), "$text-warning") for it in remarks]
    if trial is not None:
        line = pilot_line(trial.findings, trial.job.name)
        lines += [Content(summary(line))] if line.captions or line.failed else []
    return Content("\n").join(lines)


def summary(line: PilotLine) -> str:
    """Return what counts of the captions, such as "8 captions, 2 cut, 1 of 2 good"."""
    counts = {
        "failed": line.failed,
        "cut": line.truncated,
        "loop": line.loops,
        "duplicate": line.duplicates,
        "refuse": line.refusals,
    }
    parts = [text.plural(line.captions, "caption")]
    parts += [f"{count} {name}" for name, count in counts.items() if count]
    parts += [f"{line.good} of {line.rated} good"] if line.rated else []
    return ", ".join(parts)


def caption_content(
    trial: PromptTrial, i: int, chosen: bool, first: PromptTrial | None = None
) -> Content:
    """Return what is said of the image with index `i`, and how a person rated that.

    A `chosen` image is marked. With `first`, the caption is compared with that of the other trial.
    """
    number = Content.styled(f"{'>' if chosen else ' '}{i + 1} ", "bold" if chosen else "")
    rating, caption = trial.rating(i), trial.caption(i)
    rated = Content()
    if rating is not None:
        style = "$text-success" if rating.good else "$text-warning"
        reason = f" ({text.visible(rating.reason)})" if rating.reason else ""
        rated = Content.styled(f"{rating.word}{reason} ", style)
    if caption is None:
        said = Content("...")
    elif caption.raw is None:
        said = Content.styled(f"FAIL {text.visible(caption.error or '')}", "$text-error")
    else:
        other = first.caption(i) if first is not None else None
        said = captions.cut_content(caption)
        if other is not None and other.raw is not None:
            said = captions.difference(other.sheared or "", caption.sheared or "")
    return Content.assemble(number, rated, said)
