"""The captions of one image as Textual `Content`: cuts, kept words, and words that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

from textual.content import Content

from tui.formatting import content, text

if TYPE_CHECKING:
    from engine.operations.records import SampledCaption, SampledImage

CaptionView = Literal["cut", "sheared", "both"]
"""How a caption is shown: raw with the cuts marked, sheared, or both."""
CAPTION_VIEWS: tuple[CaptionView, ...] = ("cut", "sheared", "both")
MUTED = "$foreground-muted"
MAX_ORIGINAL = 600
"""Characters of an original caption that are shown: some eight lines at 80 columns."""


def captions_content(
    image: SampledImage, models: Sequence[str], view: CaptionView, chosen: str | None, diff: bool
) -> Content:
    """Return the original caption and the captions of `models`, in this order.

    With `diff` each sheared caption is compared with the one of the model `chosen`.
    """
    by_model = {caption.model: caption for caption in image.captions}
    reference = by_model.get(chosen or "") or next(iter(image.captions), None)
    words = len(image.original.split())
    parts = [
        Content.assemble(
            ("Original", "bold"),
            (f"  {text.plural(words, 'word')}{score_texts(image.original_scores)}", MUTED),
        ),
        *rating_lines(image, "original"),
        original_content(image.original) if image.original else remark("none"),
    ]
    for model in models:
        caption = by_model.get(model)
        marker = ">" if reference is not None and model == reference.model else " "
        head = Content.styled(f"{marker} {text.visible(model)}", "bold")
        parts += [Content(""), Content.assemble(head, (f"  {summary(caption)}", MUTED))]
        parts += rating_lines(image, model)
        parts += caption_lines(caption, view, reference if diff else None)
    return Content("\n").join(parts)


def rating_lines(image: SampledImage, name: str) -> list[Content]:
    """Return the line that says whether a person called a caption good or bad, if one did."""
    rating = image.ratings.get(name)
    if rating is None:
        return []
    reason = text.visible(rating.reason)
    style = "$text-success" if rating.good else "$text-warning"
    return [Content.styled(f"  {rating.word}{': ' * bool(reason)}{reason}", style)]


def original_content(caption: str) -> Content:
    """Return the original caption, cut if it is very long: those of models must stay in view."""
    rest = len(caption) - MAX_ORIGINAL
    if rest <= 0:
        return Content(f"  {text.visible(caption)}")
    more = f" ... {text.plural(rest, 'more character')}"
    return Content.assemble(f"  {text.visible(caption[:MAX_ORIGINAL])}", (more, MUTED))


def remark(reason: str) -> Content:
    """Return the line that stands where there is no caption."""
    return Content.styled(f"  ({reason})", MUTED)


def summary(caption: SampledCaption | None) -> str:
    """Return how many words shearing kept, the tokens, and why generation ended."""
    if caption is None or caption.raw is None:
        return ""
    raw, kept = len(caption.raw.split()), len((caption.sheared or "").split())
    tokens = "" if caption.tokens is None else f"{caption.tokens} tok, "
    scores = score_texts(caption.scores, caption.raw_scores)
    return f"kept {kept}/{raw} words, {tokens}{text.visible(caption.finish or '')}{scores}"


def score_texts(scores: Mapping[str, float], raw: Mapping[str, float] | None = None) -> str:
    """Return the scores of a caption, each with that of its raw text; nothing if it has none."""
    parts = []
    for name, score in scores.items():
        of_raw = f" (raw {raw[name]:.3f})" if raw and name in raw else ""
        parts.append(f", {text.visible(name)} {score:.3f}{of_raw}")
    return "".join(parts)


def caption_lines(
    caption: SampledCaption | None, view: CaptionView, reference: SampledCaption | None
) -> list[Content]:
    """Return the lines of one caption; given a `reference`, how it differs from that."""
    if caption is None:
        return [remark("not captioned yet")]
    if caption.raw is None:
        return [Content.styled(f"  FAIL {text.visible(caption.error or '')}", "$text-error")]
    sheared = caption.sheared or ""
    if reference is not None and reference.raw is not None and reference is not caption:
        return [Content.assemble("  ", difference(reference.sheared or "", sheared))]
    if not sheared:
        empty = remark("sheared to nothing: not exported")
        return [cut_line(caption), empty] if view != "sheared" else [empty]
    if view == "sheared":
        return [Content(f"  {text.visible(sheared)}")]
    if view == "cut":
        return [cut_line(caption)]
    sheared_line = Content.assemble(("  sheared  ", MUTED), text.visible(sheared))
    return [cut_line(caption), sheared_line]


def cut_line(caption: SampledCaption) -> Content:
    return Content.assemble("  ", cut_content(caption))


def cut_content(caption: SampledCaption) -> Content:
    """Return the raw caption, with what shearing cuts marked."""
    raw, sheared = caption.raw or "", caption.sheared or ""
    return content.kept_and_cut(raw, sheared, caption.start, caption.end)


def difference(before: str, after: str) -> Content:
    """Compare two texts word by word, as wdiff writes it: [-only before-] {+only after+}."""
    old, new = before.split(), after.split()
    parts: list[Content] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        removed, added = (text.visible(" ".join(words)) for words in (old[a:b], new[c:d]))
        if tag == "equal":
            parts.append(Content(added))
            continue
        if removed:
            parts.append(Content.styled(f"[-{removed}-]", "$text-error"))
        if added:
            parts.append(Content.styled(f"{{+{added}+}}", "$text-success"))
    return Content(" ").join(parts)
