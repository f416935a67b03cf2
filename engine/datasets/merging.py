"""What both ways of merging caption files share: where the output may go, and how work is cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.datasets.inputs.open_input import InputSource
from engine.project.protected_files import refuse_protected
from engine.utils.errors import BadInput

PARALLEL_BYTES = 64 << 20
"""Bytes of input for which it is worth starting other processes."""
COPY_BYTES = 1 << 20
"""Bytes that are copied at a time."""
PROGRESS_BATCHES = 16
"""Batches of records after which progress within a file is reported."""


def check_output(out: Path, sources: Sequence[InputSource]) -> None:
    """Raise `BadInput` if no file can be written there, or if it would replace an input."""
    if out.is_dir():
        raise BadInput(f"{out} is a folder: name a file")
    if not out.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {out.absolute().parent}")
    refuse_protected(out, [source.path for source in sources])


def min_jobs(sources: Sequence[InputSource]) -> int | None:
    """Return from how many files on other processes read them; None is the default of the pool."""
    size = sum(source.path.stat().st_size for source in sources if source.path.is_file())
    return 2 if size > PARALLEL_BYTES else None
