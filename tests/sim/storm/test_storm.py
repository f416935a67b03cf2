"""Fixed storms: about two minutes of CPU time, the same on every machine.

A chunk ends with a number of faults, and never by the clock. `python -m tests.sim` runs others.
"""

from __future__ import annotations

import pytest

from tests.sim.tally import Tally

CHUNKS = 12
CHUNK_FAULTS = 1_500
"""Faults of one chunk, at least: about ten seconds of CPU time."""
CHUNK_SEEDS = 1_000_000
"""Seeds from the first of one chunk to the first of the next."""


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_nothing_is_violated_in_a_storm(chunk: int) -> None:
    tally = Tally(chunk * CHUNK_SEEDS + 1)
    while tally.faults < CHUNK_FAULTS:
        seed = tally.next_seed
        assert tally.run().violations == [], f"python -m tests.sim --replay {seed}"


NOT_SIMULATED = (
    "unavailable from a server that the worker started",
    "More captions of a model have a defect than its limit for a warning",
    "More captions of a model have a defect than its limit for a stop",
    "The same, but health stops are off",
    "pending, of a model without a family",
)
"""Beginnings of the rows that no storm takes.

`tests/engine/supervisor/test_state_table.py` and `tests/engine/requests` do, and
`tests/engine/operations/imports` for the last one."""


@pytest.mark.slow
def test_a_storm_takes_every_row_of_the_tables_and_every_kind_of_fault() -> None:
    tally = Tally(1)
    while tally.faults < 30_000:
        seed = tally.next_seed
        assert tally.run().violations == [], f"python -m tests.sim --replay {seed}"
    missed = [row for row in tally.coverage.missed() if not row.startswith(NOT_SIMULATED)]
    assert (tally.kinds_missed(), missed) == ([], [])
    assert len(tally.coverage.pairs) > 200
