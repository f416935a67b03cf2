"""Tiny trained checkpoints of the model families, and the drawn scenes that they know."""

from pathlib import Path

CHECKPOINTS = Path(__file__).parent / "checkpoints"


def checkpoint(name: str) -> Path:
    """The folder of a family's demo checkpoint."""
    return CHECKPOINTS / name
