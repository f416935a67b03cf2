"""The quality of captions in plain text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from engine.quality.comparison import ORIGINAL
from tui.formatting.scores import score_text
from tui.formatting.stats_table import aligned

if TYPE_CHECKING:
    from engine.operations.model_quality import ModelQuality, ShearingQuality
    from engine.quality.rating_count import RatingCount

HEALTH_LABELS = {
    "loops": "loops",
    "duplicates": "duplicates",
    "near_duplicates": "near duplicates",
    "same_as_other": "same as another model",
    "empty": "empty (no letter or digit)",
    "truncated": "truncated",
    "refusals": "refusals",
    "leaks": "leaks",
    "reasoning": "reasoning, which is cut",
    "lead_ins": "lead-ins",
    "other_script": "other language or script",
    "beyond_clip": "beyond CLIP's 77 tokens",
}
"""The label of each defect, by its name in `ModelQuality.health`."""
STYLE_LABELS = {
    "words": "words per caption",
    "common_openings": "with one of 20 openings",
    "distinct_2": "distinct-2",
    "vocabulary": "words in 1,000 captions",
    "vocabulary_growth": "their growth by the second half",
    "new_words": "new content words per caption",
    "new_share": "content words that are new",
    "names_kept": "names of the original kept",
    "numbers_kept": "numbers of the original kept",
}
"""The label of each figure of style, by its name in `ModelQuality.style_dict`."""
SHARES = {"common_openings", "new_share", "names_kept", "numbers_kept"}
"""Figures that are shown as percentages."""
SHOWN_TEXTS = 5
"""Most frequent texts that are shown of a model."""


def quality_lines(
    qualities: Sequence[ModelQuality],
    with_shards: bool,
    ratings: Mapping[str, RatingCount] | None = None,
) -> Iterator[str]:
    """Yield a table with a column a model, then the duplicates, and the shards if asked for.

    `ratings` has how many captions people called good and bad, by the model's name.
    """
    rows = quality_rows(qualities)
    if ratings:
        rows.append(["rated good", *(rated(ratings.get(each.name)) for each in qualities)])
    yield from aligned(rows)
    for quality in qualities:
        if quality.sampled < quality.captions:
            yield (
                f"{quality.name}: near duplicates, and the figures below those of CLIP, are of"
                f" {quality.sampled:,} captions"
            )
    reasons = dict.fromkeys(q.no_agreement for q in qualities if q.name != ORIGINAL)
    yield from (f"agreement: {reason}" for reason in reasons if reason)
    for quality in qualities:
        if quality.most_frequent:
            yield f"{quality.name}, most frequent:"
        for text, captions in quality.most_frequent[:SHOWN_TEXTS]:
            yield f"  {captions:,} times: {text}"
    if with_shards:
        for quality in qualities:
            yield f"{quality.name}, shard by shard:"
            yield from aligned(shard_rows(quality))


def rated(count: RatingCount | None) -> str:
    """Return how many of the rated captions are good, such as `3 of 4 (75.0%)`."""
    if count is None or count.share is None:
        return "-"
    return f"{count.good:,} of {count.rated:,} ({count.share:.1%})"


def quality_rows(qualities: Sequence[ModelQuality]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [["", *(quality.name for quality in qualities)]]
    rows.append(["captions", *(f"{quality.captions:,}" for quality in qualities)])
    for name, label in HEALTH_LABELS.items():
        rows.append([label, *(counted(q.health[name], q.captions) for q in qualities)])
        if any(q.left.get(name, q.health[name]) < q.health[name] for q in qualities):
            left = (q.left.get(name, q.health[name]) for q in qualities)
            cells = (counted(n, q.captions) for n, q in zip(left, qualities, strict=True))
            rows.append(["  after shearing", *cells])
    rows.append(["defective", *(counted(q.defective, q.captions) for q in qualities)])
    rows += beside_others_rows(qualities)
    rows += shearing_rows(qualities)
    for name, label in STYLE_LABELS.items():
        rows.append([label, *(figure(name, q.style_dict()[name]) for q in qualities)])
    return rows


def shearing_rows(qualities: Sequence[ModelQuality]) -> Iterator[Sequence[str]]:
    """Yield the rows of what shearing cuts, and of what it changes."""
    shearing = [quality.shearing for quality in qualities]

    def row(label: str, text: Callable[[ShearingQuality], str]) -> Sequence[str]:
        return [label, *("-" if each is None else text(each) for each in shearing)]

    shares = (
        "-" if q.shearing is None else counted(q.shearing.sums.captions_cut, q.captions)
        for q in qualities
    )
    yield ["cut by shearing", *shares]
    yield row("  words", lambda each: counted(each.sums.words_cut, each.sums.words))
    yield row("  sentences", lambda each: f"{each.sums.sentences_cut:,}")
    yield row("  lead-ins", lambda each: f"{each.sums.lead_ins_cut:,}")
    yield row("  reasoning", lambda each: f"{each.sums.reasoning_cut:,}")
    if any(each is not None and each.sums.cut_within_sentence for each in shearing):
        yield row("  within a sentence", lambda each: f"{each.sums.cut_within_sentence:,}")
    yield row(
        "  agreement before and after",
        lambda each: before_and_after(each.raw_agreement, each.sheared_agreement, decimals),
    )
    for label, name, form in TRUTH_ROWS:
        figures = [truth_of(each, name) for each in shearing]
        if any(figure is not None for pair in figures for figure in pair):
            yield [f"  {label}", *(before_and_after(*pair, form) for pair in figures)]


def truth_of(shearing: ShearingQuality | None, name: str) -> tuple[float | None, float | None]:
    """Return a figure of truth before and after shearing, None where there is none."""
    if shearing is None:
        return None, None
    return getattr(shearing.raw_truth, name, None), getattr(shearing.sheared_truth, name, None)


def before_and_after(
    before: float | None, after: float | None, form: Callable[[float | None], str]
) -> str:
    """Return a figure of raw and one of sheared captions, a dash where there is neither."""
    return "-" if before is None and after is None else f"{form(before)} > {form(after)}"


def beside_others_rows(qualities: Sequence[ModelQuality]) -> Iterator[Sequence[str]]:
    """Yield the rows of agreement, and of the scores by each scorer."""
    yield ["agreement", *(decimals(q.agreement) for q in qualities)]
    yield ["agrees better than the original", *(percent(q.agrees_better) for q in qualities)]
    contradicted = (None if q.contradicted is None else f"{q.contradicted:,}" for q in qualities)
    yield ["contradicted by the models", *(each or "-" for each in contradicted)]
    for scorer in dict.fromkeys(name for q in qualities for name in q.scores):
        scores = [q.scores.get(scorer) for q in qualities]
        yield [f"score of {scorer}, raw", *(decimals(s.raw if s else None) for s in scores)]
        yield ["  sheared", *(decimals(s.sheared if s else None) for s in scores)]
        better = (percent(s.beats_original if s else None) for s in scores)
        yield ["  better than the original", *better]


def shard_rows(quality: ModelQuality) -> list[Sequence[str]]:
    """Return a row a shard, in the order in which they were done."""
    names = [name for name in HEALTH_LABELS if name != "near_duplicates"]
    rows: list[Sequence[str]] = [["shard", "captions", *(HEALTH_LABELS[name] for name in names)]]
    for shard in quality.shards:
        counts = (f"{shard.health[name]:,}" for name in names)
        rows.append([f"{shard.shard:05}", f"{shard.captions:,}", *counts])
    return rows


def counted(count: int, captions: int) -> str:
    """Return a number of captions, and its share where there are any."""
    return f"{count:,} ({count / captions:.1%})" if count else "0"


def decimals(value: float | None) -> str:
    """Return a figure as `score_text` does, a dash for none."""
    return "-" if value is None else score_text(value)


def percent(share: float | None) -> str:
    """Return a share in percent, a dash for none."""
    return "-" if share is None else f"{share:.0%}"


def figure(name: str, value: float | None) -> str:
    """Return a figure of style; a dash where there is nothing to take it of."""
    if value is None:
        return "-"
    return f"{value:.0%}" if name in SHARES else f"{value:,.2f}"


TRUTH_ROWS = (
    ("wrong claims per caption", "wrong_claims", decimals),
    ("invented objects (CHAIR i)", "chair_i", percent),
    ("captions with any (CHAIR s)", "chair_s", percent),
)
"""The label of each figure of truth, its name in `Truth`, and how it is written."""
