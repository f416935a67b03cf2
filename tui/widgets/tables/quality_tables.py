"""The tables of the Quality screen: the models, and the defects of one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from rich.cells import cell_len

from tui.formatting import text
from tui.formatting.scores import score_text
from tui.viewmodel.quality import QualityLine, worst_line
from tui.widgets.tables.sortable_table import SortableTable
from tui.widgets.tables.table import GUTTER, Cell, Column

if TYPE_CHECKING:
    from engine.operations.model_quality import ModelQuality
    from tui.viewmodel.quality_limits import Limits

COMPONENTS = {"alarming": "bad", "too many": "warn", "few": "", "-": "muted", "none": "muted"}
"""The component class that colours a verdict, which is also there as a word."""
NOTHING = "-"
"""Stands for a figure that there is not; the screen says why."""
SCORE_WIDTH = 7
WORST_WIDTH = 20
"""Cells of the worst defect with its verdict; the column takes what the others leave."""
NAME_WIDTH = 9
"""Cells for the name of a model, at least."""
LONGEST_NAME = 30
"""Cells for the name of a model, at most."""
WIDE = 100
"""A table of at least so many cells shows the numbers of captions."""

QualityColumn = Column["ModelQuality"]


class QualityTable(SortableTable["ModelQuality"]):
    """One row for the originals and one a model, with their figures."""

    def __init__(self, limits_of: Callable[[str], Limits], id: str | None = None) -> None:
        super().__init__((), id=id)
        self.limits_of = limits_of
        """Returns the limits of the model with a name, or of the originals."""
        self.hidden_scorers: list[str] = []
        """The scorers for whose scores there is no room."""
        self.columns = self.columns_for(0)

    def row_key(self, row: ModelQuality) -> object:
        return row.name

    def on_resize(self) -> None:
        self.columns = self.columns_for(self.scrollable_content_region.width)
        super().on_resize()

    def show(self, qualities: Sequence[ModelQuality]) -> None:
        """Show the originals and the models."""
        self.set_rows(qualities, 0, len(qualities))
        self.columns = self.columns_for(self.scrollable_content_region.width)

    def columns_for(self, width: int) -> tuple[QualityColumn, ...]:
        """Return the columns for a table of `width` cells: the first scorers as far as there is
        room, and where there is little, no words, of which there is a histogram."""
        scorers = list(dict.fromkeys(name for row in self.rows for name in row.scores))
        scores = [score_columns(name) for name in scorers] or [[NO_SCORE]]
        room = width - GUTTER - total_width(FIGURES) - WORST_WIDTH - 1 - NAME_WIDTH - 1
        captions = [CAPTIONS] * (width >= WIDE)
        words = [WORDS] * (room >= total_width([WORDS, *scores[0]]))
        room -= total_width([*captions, *words])
        shown = scores[: max(1, room // total_width(scores[0]))]
        self.hidden_scorers = scorers[len(shown) :]
        figures = [*FIGURES, *words, *chain.from_iterable(shown)]
        left = width - GUTTER - total_width([*captions, *figures]) - WORST_WIDTH - 2
        longest = max((cell_len(text.visible(row.name)) for row in self.rows), default=NAME_WIDTH)
        name = max(NAME_WIDTH, min(longest, left, LONGEST_NAME))
        return (
            Column("Model", name, lambda row: row.name),
            *captions,
            DEFECTIVE,
            Column("Worst", 0, self.worst_cell),
            *figures[1:],
        )

    def worst_cell(self, row: ModelQuality) -> Cell:
        line = worst_line(row, self.limits_of(row.name))
        if line is None:
            return ("none" if row.captions else NOTHING), "muted"
        return f"{line.label}: {line.verdict}", COMPONENTS[line.verdict]


def total_width(columns: Sequence[QualityColumn]) -> int:
    """Return the cells of columns with the blanks behind them."""
    return sum(column.width + 1 for column in columns)


def score_columns(scorer: str) -> list[Column[ModelQuality]]:
    """Return the two columns of a scorer: its scores of raw and of sheared captions."""

    def raw(row: ModelQuality) -> str:
        return score(row.scores[scorer].raw) if scorer in row.scores else NOTHING

    def sheared(row: ModelQuality) -> str:
        return score(row.scores[scorer].sheared) if scorer in row.scores else NOTHING

    return [
        Column(scorer, SCORE_WIDTH, raw, align_right=True),
        Column("sheared", SCORE_WIDTH, sheared, align_right=True),
    ]


class DefectTable(SortableTable[QualityLine]):
    """One row a defect of the chosen model, the worst first; then its agreement and its scores."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(
            (
                Column("Defect", 0, lambda line: line.label),
                Column("Captions", 9, lambda line: line.shown_count, align_right=True),
                Column("Share", 6, lambda line: line.shown_share, align_right=True),
                Column("Verdict", 8, lambda line: (line.verdict, COMPONENTS[line.verdict])),
            ),
            id=id,
        )

    def row_key(self, row: QualityLine) -> object:
        return row.name


def captions_cell(row: ModelQuality) -> str:
    return text.number(row.captions)


def defective_cell(row: ModelQuality) -> str:
    return f"{row.defective / row.captions:.1%}" if row.captions else NOTHING


def beats_cell(row: ModelQuality) -> str:
    """Return on which share of images the caption is better: by the first score, or agreement."""
    by_score = [scores.beats_original for scores in row.scores.values()]
    return share(by_score[0] if by_score else row.agrees_better)


def new_cell(row: ModelQuality) -> str:
    facts = row.facts
    return f"{facts.new / facts.compared:.1f}" if facts.compared else NOTHING


def words_cell(row: ModelQuality) -> str:
    facts = row.facts
    return f"{facts.words / facts.captions:.1f}" if facts.captions else NOTHING


def share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0%}"


def score(value: float | None) -> str:
    return NOTHING if value is None else score_text(value)


CAPTIONS: QualityColumn = Column("Captions", 11, captions_cell, align_right=True)
DEFECTIVE: QualityColumn = Column("Defects", 7, defective_cell, align_right=True)
FIGURES: tuple[QualityColumn, ...] = (
    DEFECTIVE,
    Column("Agree", 5, lambda row: share(row.agreement), align_right=True),
    Column("Beats", 5, beats_cell, align_right=True),
    Column("New", 4, new_cell, align_right=True),
)
WORDS: QualityColumn = Column("Words", 5, words_cell, align_right=True)
NO_SCORE: QualityColumn = Column("Score", SCORE_WIDTH, lambda row: NOTHING, align_right=True)
