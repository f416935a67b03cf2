"""Records of an attempt that have a caption and are asked about again, with other settings.

A new caption counts only if it has none of the defects for which the record is asked again, and
none that the caption there has not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from typing import Any, Literal

from db.rows import ModelRow
from engine.captioners.model_choice import changed_settings
from engine.captioners.model_families import prompt_keys
from engine.project.caption_log import CaptionLog
from engine.project.task_health import texts_of_prompts
from engine.protocol.caption_row import (
    NOT_BETTER,
    AskedAgainRow,
    CaptionRow,
    Changes,
    ErrorRow,
    RetriedRow,
    Row,
)
from engine.quality.caption_check import CaptionCheck, names_of
from engine.shearing.shear import Shearing
from engine.utils.errors import BadInput

SHOWN_CHARACTERS = 1_500
"""Characters of a caption that is no better which its row keeps."""


class AskedAgain:
    """The records of one attempt that are asked about again."""

    def __init__(self, model: ModelRow, log: CaptionLog, shearing: Shearing) -> None:
        self.model = model
        self.log = log
        self.shearing = shearing
        self.results: Counter[Literal["better", "kept"]] = Counter()
        """How many captions were replaced, and how many were kept."""
        self.replaced: list[tuple[str, ...]] = []
        """The defects of each caption that was replaced and is not counted out yet."""
        self.checks: dict[tuple[str, str], CaptionCheck] = {}
        """What finds defects, by prompt and language."""

    def changes_of(self, i: int) -> Changes:
        """Return the changes of settings with which a record is asked; none for most records."""
        row = self.log.asked_again.get(i)
        return {} if row is None else row.changes

    def groups(self, left_out: Collection[int]) -> list[Changes]:
        """Return the changes with which records are asked again, each once."""
        found: list[Changes] = []
        for i, row in self.log.asked_again.items():
            if i not in left_out and row.changes not in found:
                found.append(row.changes)
        return found

    def settings_of(self, i: int) -> dict[str, Any] | None:
        """Return the settings with which a record is asked; None for the model's own."""
        return self.settings_with(self.changes_of(i))

    def settings_with(self, changes: Changes) -> dict[str, Any] | None:
        """Return the model's settings with changes; None without any, or if they cannot be."""
        if not changes:
            return None
        try:
            return asdict(changed_settings(self.model.family, self.model.settings, changes))
        except BadInput:  # written by nobody who asked us
            return None

    def prompt_keys(self, i: int) -> tuple[str, ...]:
        """Return the keys of a record's texts for which its prompt asks."""
        return prompt_keys(self.model.family, self.settings_of(i) or self.model.settings)

    def judged(self, row: Row) -> Row:
        """Return what is written for the row of a record: the row itself unless it asked again."""
        asked = self.log.asked_again.get(row.i)
        if asked is None or not isinstance(row, CaptionRow):
            return row
        settings = self.settings_with(asked.changes) or self.model.settings
        prompt = str(settings.get("prompt"))
        key = prompt, asked.language
        if key not in self.checks:
            self.checks[key] = CaptionCheck(
                self.model.family,
                self.shearing,
                texts_of_prompts(settings),
                asked.language,
            )
        found = names_of(self.checks[key].defects_of(row.raw, row.finish))
        judgement = judge(row, asked, found)
        if isinstance(judgement, RetriedRow):
            self.replaced.append(asked.had)
        self.results["better" if isinstance(judgement, RetriedRow) else "kept"] += 1
        return judgement


def judge(row: CaptionRow, asked: AskedAgainRow, found: Collection[str]) -> RetriedRow | ErrorRow:
    """Return the new caption of a record if it is better, else the failure that keeps it out.

    `found` are the names of its defects.
    """
    wrong = [name for name in found if name in asked.bad or name not in asked.had]
    if wrong:
        return ErrorRow(row.i, NOT_BETTER, f"{', '.join(wrong)}: {row.raw[:SHOWN_CHARACTERS]}")
    return RetriedRow(row.i, row.raw, row.tokens, row.finish, asked.changes)
