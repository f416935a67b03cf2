"""Shrinking a schedule that fails to the fewest faults that still make it fail."""

from __future__ import annotations

from collections.abc import Sequence

from tests.sim.simulation import Result, simulate

Fault = tuple[str, int]


def shrink(seed: int, faults: Sequence[Fault], most_runs: int = 300) -> tuple[list[Fault], Result]:
    """Return the fewest faults found that violate something, and what became of them.

    Chunks of faults are left out, smaller ones each time round (delta debugging); at most
    `most_runs` schedules are tried.
    """
    kept = list(faults)
    result = simulate(seed, set(kept))
    if not result.violations:  # the fault that counts is none that was drawn
        return list(faults), simulate(seed)
    size, runs = max(1, len(kept) // 2), 0
    while runs < most_runs:
        start, removed = 0, False
        while start < len(kept) and runs < most_runs:
            tried = kept[:start] + kept[start + size :]
            runs += 1
            attempt = simulate(seed, set(tried))
            if attempt.violations:
                # A fault that did not happen any more is none of the fewest.
                kept = [fault for fault in tried if fault in set(attempt.happened)]
                result, removed = attempt, True
            else:
                start += size
        if size == 1 and not removed:
            break
        size = max(1, size // 2)
    return kept, result
