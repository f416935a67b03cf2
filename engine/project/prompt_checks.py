"""Which records lack the texts that the prompts of models ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.captioners.model_choice import ModelChoice
from engine.captioners.model_families import prompt_keys
from engine.captioners.record_prompt import texts_of
from engine.project.shard_file import read_shard
from engine.utils.errors import BadInput
from engine.utils.plurals import plural

KEYS_SHOWN = 12
"""Most keys of a record that an error names."""


def count_lacking(models: Sequence[ModelChoice], shard_files: Iterable[Path]) -> Counter[str]:
    """Return by key how many records have no text for prompts that ask for one.

    Nothing is read unless a prompt does. Raises `BadInput` if none of these records has a text
    under a key, and for a shard that cannot be read.
    """
    keys = {key for model in models for key in prompt_keys(model.family, model.settings)}
    lacking: Counter[str] = Counter()
    if not keys:
        return lacking
    records, seen = 0, set[str]()
    for path in shard_files:
        for _, record in read_shard(path):
            records += 1
            seen |= record.keys() if len(seen) < KEYS_SHOWN else set()
            lacking.update(keys - texts_of(record, keys).keys())
    for key, count in lacking.items():
        if count == records:
            raise BadInput(
                f"a prompt asks for {{{key}}}, but none of {plural(records, 'record')} has a text"
                f" under {key!r}: they have {', '.join(sorted(seen)[:KEYS_SHOWN])}; write"
                f" {{{{{key}}}}} for the braces themselves"
            )
    return lacking
