"""A gate that workers wait at, so that a test acts in the middle of a run on any machine."""

from __future__ import annotations

from pathlib import Path


class Gate:
    """A gate that batches pass until `records` records of a worker process have, or it is opened.

    As many rows come from each worker at least, and less than a batch more.
    It holds up workers of `tests.faults.support.misbehaving_worker`, under `FAST_POLICY`.
    """

    def __init__(self, folder: Path, records: int) -> None:
        self.path = folder / "gate"
        self.environment = {"GATE": str(self.path), "GATE_RECORDS": str(records)}
        """What the environment of the workers, or of their supervisor, must hold."""

    def open(self) -> None:
        """Let all workers go on, those that come later, too."""
        self.path.touch()
