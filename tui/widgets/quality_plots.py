"""The plots of the Quality screen: lengths and scores before and after shearing, and the trend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from engine.quality.comparison import LOWEST, SCORE_BINS
from tui.formatting import content, histogram
from tui.formatting.plot_frame import framed_curve

if TYPE_CHECKING:
    from engine.operations.model_quality import ModelQuality, ScoreQuality

MUTED = "$foreground-muted"
PLOT_ROWS = 7
"""Rows that a plot takes, at least, where several are shown."""
FIXED_ROWS = 3
"""Rows of a pair of histograms that are no bars: the two titles and the axis."""

Plot = Callable[[int, int], list[Content]]
"""Draws a plot in so many columns and rows."""


class QualityPlots(Static, can_focus=True):
    """As many plots of one model as there is room for; `next_view` begins with another one."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self.quality: ModelQuality | None = None
        self.first = 0
        """The index of the uppermost plot."""

    def show(self, quality: ModelQuality | None) -> None:
        self.quality = quality
        self.redraw()

    def next_view(self) -> None:
        self.first += 1
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        """Draw the plots that fit into the pane."""
        quality, size = self.quality, self.scrollable_content_region.size
        if quality is None or size.width < 16 or size.height < 4:
            self.update("", layout=False)
            return
        plots = plots_of(quality)
        count = min(len(plots), max(1, size.height // PLOT_ROWS))
        start = self.first % len(plots)
        chosen = [plots[(start + n) % len(plots)] for n in range(count)]
        rows = size.height // count
        lines: list[Content] = []
        for _, draw in chosen:
            drawn = draw(size.width, rows)
            lines += drawn + [Content("")] * (rows - len(drawn))
        self.border_title = content.title(", ".join(title for title, _ in chosen))
        self.border_subtitle = f"{start + 1} of {len(plots)}: v next" * (count < len(plots))
        self.update(Content("\n").join(lines), layout=False)


def plots_of(quality: ModelQuality) -> list[tuple[str, Plot]]:
    """Return the title and the plot of all that there is of a model."""
    plots: list[tuple[str, Plot]] = [("Words per caption", partial(draw_lengths, quality))]
    for name, scores in quality.scores.items():
        plots.append((f"Scores of {name}", partial(draw_scores, scores)))
    if len(quality.shards) > 1 and quality.shards[0].finished is not None:
        plots.append(("Defects, shard by shard", partial(draw_trend, quality)))
    return plots


def draw_lengths(quality: ModelQuality, columns: int, rows: int) -> list[Content]:
    """Draw the histograms of the words a caption, raw and sheared."""
    raw, sheared = quality.raw_lengths, quality.sheared_lengths
    bins = max((i for i, each in enumerate(zip(raw, sheared, strict=True)) if any(each)), default=0)
    more = "+" if bins == len(raw) - 1 else ""

    def label(index: int) -> str:
        return f"{index}{more if index == bins else ''}"

    return draw_pair(raw[: bins + 1], sheared[: bins + 1], label, columns, rows)


def draw_scores(scores: ScoreQuality, columns: int, rows: int) -> list[Content]:
    """Draw the histograms of the scores of raw and sheared captions."""
    both = zip(scores.raw_bins, scores.sheared_bins, strict=True)
    filled = [index for index, counts in enumerate(both) if any(counts)] or [0]
    shown = slice(filled[0], filled[-1] + 1)

    def label(index: int) -> str:
        return f"{LOWEST + (1 - LOWEST) * (filled[0] + index) / SCORE_BINS:.2f}"

    return draw_pair(scores.raw_bins[shown], scores.sheared_bins[shown], label, columns, rows)


def draw_pair(
    raw: Sequence[int], sheared: Sequence[int], label: Callable[[int], str], columns: int, rows: int
) -> list[Content]:
    """Draw the histograms of the same figure before and after shearing, with one axis."""
    if not any(raw):
        return [Content.styled("no caption yet", MUTED)]
    heights = max(1, (rows - FIXED_ROWS) // 2)
    lines = []
    for name, counts in (("raw", raw), ("sheared", sheared)):
        lines.append(Content.styled(summary(name, counts, label), MUTED))
        bars = histogram.bars(counts, columns, heights)
        lines += [Content.styled(row, "$primary") for row in bars]
    return [*lines, Content.styled(histogram.axis(len(raw), columns, label), MUTED)]


def summary(name: str, counts: Sequence[int], label: Callable[[int], str]) -> str:
    """Return the median of a histogram, and in brackets between what values nine of ten lie, as
    Help says."""
    low, median, high = (label(histogram.quantile(counts, share)) for share in (0.05, 0.5, 0.95))
    return f"{name} {median} ({low} to {high})"


def draw_trend(quality: ModelQuality, columns: int, rows: int) -> list[Content]:
    """Draw the share of defective captions of the shards that are done, in that order."""
    done = [each for each in quality.shards if each.finished is not None and each.captions]
    if not done or rows < 4:
        return [Content.styled("no shard is done yet", MUTED)]
    points = [(float(n), each.defective / each.captions) for n, each in enumerate(done, 1)]

    def order(cells: int) -> str:
        first = "first"
        return f"{first}{f'last of {len(done):,}':>{cells - len(first)}}"

    right = max(2.0, float(len(done)))
    return framed_curve(
        points, 1.0, right, (columns, rows), order, lambda share: f"{100 * share:.3g}%"
    )
