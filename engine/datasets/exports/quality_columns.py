"""What is known of captions, beside them in an export: columns of health, agreement, scores, flags.

Each column has a value a name, so that no model can be called as one of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from db.rows import ORIGINAL_ID, CaptionKey, ModelRow, ShardRow
from engine.datasets.exports.writers.base import ORIGINAL
from engine.quality.judgement import HEALTH_BITS, ColumnFacts, Numbers
from engine.quality.quality_filter import CONTRADICTED

FLAGGED = "flagged"
"""Stands for the reason of a flag that has none."""


def quality_values(
    facts: Sequence[ColumnFacts],
    shard: ShardRow,
    models: Sequence[ModelRow],
    flags: Mapping[CaptionKey, str],
) -> list[dict[str, Any]]:
    """Return for each record of a shard the values of the columns, by name.

    `health` is what is wrong with a caption, as `--without` takes it, and None without a caption.
    Columns of which nothing is known, such as agreement in a project with one model, are not there.
    """
    health = {each.name: health_of(each) for each in facts}
    agreement = {each.name: numbers_of(each.agreement) for each in facts if each.name != ORIGINAL}
    scores = {
        scorer: {each.name: numbers_of(each.scores[scorer]) for each in facts}
        for scorer in facts[0].scores
    }
    ids = {ORIGINAL: ORIGINAL_ID} | {model.name: model.id for model in models}
    values = []
    for i in range(shard.count):
        value: dict[str, Any] = {"health": {name: column[i] for name, column in health.items()}}
        if len(facts[-1].agreement):
            value["agreement"] = {name: column[i] for name, column in agreement.items()}
        if scores:
            value["scores"] = {
                scorer: {name: column[i] for name, column in columns.items()}
                for scorer, columns in scores.items()
            }
        reasons = {name: flags.get((shard.number, i, ids[name])) for name in health}
        value["flags"] = {
            name: "" if reason is None else reason or FLAGGED for name, reason in reasons.items()
        }
        values.append(value)
    return values


def health_of(facts: ColumnFacts) -> list[str | None]:
    """Return what is wrong with each caption of a column."""
    bits = [*HEALTH_BITS.items()]
    known: dict[tuple[int, bool], str] = {}
    contradicted = facts.contradicted.tolist() or [False] * len(facts.present)
    health: list[str | None] = []
    for present, key in zip(
        facts.present.tolist(), zip(facts.defects.tolist(), contradicted, strict=True), strict=True
    ):
        if key not in known:
            names = [name for name, bit in bits if key[0] & bit] + [CONTRADICTED] * key[1]
            known[key] = ",".join(names)
        health.append(known[key] if present else None)
    return health


def numbers_of(numbers: Numbers) -> list[float | None]:
    """Return numbers, None for what is none."""
    return [None if math.isnan(number) else number for number in numbers.tolist()]
