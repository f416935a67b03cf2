"""Many schedules, one after the other, and what they amount to."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.sim.coverage import Coverage
from tests.sim.faults import RATES
from tests.sim.simulation import Result, simulate


class Tally:
    """Runs the schedules of consecutive seeds, and counts."""

    def __init__(self, seed: int) -> None:
        """`seed` is that of the first schedule."""
        self.first_seed = self.next_seed = seed
        self.faults = 0
        self.violations = 0
        """Schedules in which something was violated."""
        self.simulated_seconds = 0.0
        self.kinds: Counter[str] = Counter()
        self.coverage = Coverage()

    def run(self) -> Result:
        """Run the next schedule."""
        result = simulate(self.next_seed, coverage=self.coverage)
        self.next_seed += 1
        self.faults += len(result.happened)
        self.kinds.update(kind for kind, _ in result.happened)
        self.simulated_seconds += result.simulated_seconds
        self.violations += bool(result.violations)
        return result

    def kinds_missed(self) -> list[str]:
        """Return the kinds of fault that have not happened."""
        return [kind for kind in RATES if not self.kinds[kind]]

    def summary(self, cpu_seconds: float) -> dict[str, Any]:
        """Return the object that the last line of a run shows."""
        return {
            "faults": self.faults,
            "kinds": len(self.kinds),
            "kinds_known": len(RATES),
            "schedules": self.next_seed - self.first_seed,
            "violations": self.violations,
            "cpu_seconds": round(cpu_seconds, 1),
            "faults_per_cpu_second": round(self.faults / max(cpu_seconds, 0.1), 1),
            "simulated_hours": round(self.simulated_seconds / 3600, 1),
            "rows_of_the_table": len(self.coverage.rows),
            "rows_not_taken": len(self.coverage.missed()),
            "pairs_of_rows": len(self.coverage.pairs),
        }
