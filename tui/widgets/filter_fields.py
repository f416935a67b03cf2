"""The fields of the Export dialog that filter captions by quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input, Label, Select

from engine.quality.languages import LANGUAGES
from engine.utils.errors import BadInput
from tui.widgets.choice import Choice

if TYPE_CHECKING:
    from engine.quality.quality_filter import QualityFilter

HEALTH_HINT = "loops,leaks,refusals,... as Quality names them"
SCORE_HINT = "NAME=X, several with a blank between"
AGREE_HINT = "above 0 to 1: how far the others support it"
ORIGINAL_HINT = "contradicted, score<X: originals that are left out"
SHARE_HINT = "above 0 to 1, of what the others leave"
SEED_HINT = "0; without a scorer, another seed draws other captions"


class FilterFields(Vertical):
    """The fields; those for which the project has nothing to filter by are not there."""

    def __init__(self, models: int, scorers: list[str]) -> None:
        """`models` is the number of models that caption, `scorers` are the names of the others."""
        super().__init__()
        self.models = models
        self.scorers = scorers

    def compose(self) -> ComposeResult:
        yield filter_row("Leave out", "without", HEALTH_HINT)
        languages = Choice(
            ((code, code) for code in LANGUAGES), allow_blank=False, id="language", compact=True
        )
        yield field_row("Language", languages)
        if self.scorers:
            yield filter_row("Score at least", "min-score", SCORE_HINT)
            yield filter_row("Best of an image", "best", "how many of its captions")
        if self.models > 1:
            yield filter_row("Agreement", "min-agree", AGREE_HINT)
        if self.scorers or self.models > 1:
            yield filter_row("Drop originals", "drop-original", ORIGINAL_HINT)
        yield filter_row("Share that stays", "share", SHARE_HINT)
        yield filter_row("Seed of the draw", "share-seed", SEED_HINT)
        if len(self.scorers) > 1:
            yield filter_row("By the scorer", "by", " or ".join(self.scorers))

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False

    def quality(self) -> QualityFilter:
        """Return the filter of all fields. Raises `BadInput`."""
        from engine.quality.quality_filter import QualityFilter

        best, seed = self.typed("best"), self.typed("share-seed")
        if best and not best.isdecimal():
            raise BadInput("best of an image: write a number, or nothing")
        if seed and not seed.isdecimal():
            raise BadInput("seed of the draw: a whole number, or nothing")
        quality = QualityFilter.parse(
            without=self.typed("without"),
            min_score=self.typed("min-score").split(),
            best=int(best) if best else None,
            min_agree=read_share(self.typed("min-agree"), "agreement"),
            drop_original_when=self.typed("drop-original"),
            keep_share=read_share(self.typed("share"), "share that stays"),
            by=self.typed("by") or None,
            language=str(self.query_one("#language", Select).value),
            share_seed=int(seed or 0),
        )
        return quality.for_project(self.scorers, self.models)

    def typed(self, id: str) -> str:
        """Return what is typed in a field, nothing if it is not there."""
        for field in self.query(f"#{id}").results(Input):
            return field.value.strip()
        return ""


def filter_row(name: str, id: str, hint: str) -> Horizontal:
    return field_row(name, Input(placeholder=hint, id=id, compact=True))


def field_row(name: str, field: Widget) -> Horizontal:
    """Return a line with a field and its name."""
    return Horizontal(Label(name, classes="name"), field, classes="setting")


def read_share(typed: str, what: str) -> float | None:
    """Return the number that was typed, None for nothing. Raises `BadInput`."""
    try:
        return float(typed) if typed else None
    except ValueError:
        raise BadInput(f"{what}: a number above 0 and up to 1, or nothing") from None
