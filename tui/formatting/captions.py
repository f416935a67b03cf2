"""Captions of one image as text for the screen: cuts, kept share, and words that differ."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

from textual.content import Content

from tui.formatting import content, text

if TYPE_CHECKING:
    from engine.operations.records import SampledCaption, SampledImage

Show = Literal["cut", "sheared", "both"]
SHOWS: tuple[Show, ...] = ("cut", "sheared", "both")
MUTED = "$foreground-muted"
ORIGINAL_MOST = 600
"""Characters of an original caption that are shown: some eight lines at 80 columns."""


def captions(
    image: SampledImage, models: Sequence[str], show: Show, chosen: str | None, diff: bool
) -> Content:
    """Every model's, in project order; with `diff` against the chosen one's sheared words."""
    said = {caption.model: caption for caption in image.captions}
    reference = said.get(chosen or "") or next(iter(image.captions), None)
    words = len(image.original.split())
    parts = [
        Content.assemble(("Original", "bold"), (f"  {text.plural(words, 'word')}", MUTED)),
        original(image.original) if image.original else nothing("none"),
    ]
    for model in models:
        caption = said.get(model)
        here = ">" if reference is not None and model == reference.model else " "
        head = Content.styled(f"{here} {text.visible(model)}", "bold")
        parts += [Content(""), Content.assemble(head, (f"  {summary(caption)}", MUTED))]
        parts += body(caption, show, reference if diff else None)
    return Content("\n").join(parts)


def original(caption: str) -> Content:
    """The beginning of a very long one: the models' are to be seen below it."""
    left = len(caption) - ORIGINAL_MOST
    if left <= 0:
        return Content(f"  {text.visible(caption)}")
    more = f" ... {text.plural(left, 'more character')}"
    return Content.assemble(f"  {text.visible(caption[:ORIGINAL_MOST])}", (more, MUTED))


def nothing(why: str) -> Content:
    return Content.styled(f"  ({why})", MUTED)


def summary(caption: SampledCaption | None) -> str:
    if caption is None or caption.raw is None:
        return ""
    raw, kept = len(caption.raw.split()), len((caption.sheared or "").split())
    return f"kept {kept}/{raw} words, {caption.tokens} tok, {text.visible(caption.finish or '')}"


def body(
    caption: SampledCaption | None, show: Show, reference: SampledCaption | None
) -> list[Content]:
    if caption is None:
        return [nothing("not captioned yet")]
    if caption.raw is None:
        return [Content.styled(f"  FAIL {text.visible(caption.error or '')}", "$text-error")]
    sheared = caption.sheared or ""
    if reference is not None and reference.raw is not None and reference is not caption:
        return [Content.assemble("  ", difference(reference.sheared or "", sheared))]
    if not sheared:
        empty = nothing("sheared to nothing: not exported")
        return [cut_line(caption), empty] if show != "sheared" else [empty]
    if show == "sheared":
        return [Content(f"  {text.visible(sheared)}")]
    if show == "cut":
        return [cut_line(caption)]
    sheared_line = Content.assemble(("  sheared  ", MUTED), text.visible(sheared))
    return [cut_line(caption), sheared_line]


def cut_line(caption: SampledCaption) -> Content:
    raw, sheared = caption.raw or "", caption.sheared or ""
    return Content.assemble("  ", content.kept_and_cut(raw, sheared, caption.start, caption.end))


def difference(before: str, after: str) -> Content:
    """Word by word, as wdiff writes it: [-only before-] {+only after+}."""
    old, new = before.split(), after.split()
    parts: list[Content] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = (text.visible(" ".join(words)) for words in (old[a:b], new[c:d]))
        if tag == "equal":
            parts.append(Content(come))
            continue
        if gone:
            parts.append(Content.styled(f"[-{gone}-]", "$text-error"))
        if come:
            parts.append(Content.styled(f"{{+{come}+}}", "$text-success"))
    return Content(" ").join(parts)
