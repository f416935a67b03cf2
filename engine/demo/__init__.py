"""The demonstration: tiny trained checkpoints of the model families, and the scenes that they know.

Process: commands and the application (`scenes`, `checkpoint`); the training of the checkpoints
(`python -m engine.demo.train`, and `train_scorer` for that of the scorer); tests.
May import: `captioners`, `images`, `shearing`, `utils`.
Must never: import a project, its state or a database; or import torch in `scenes`, `phrasing`,
`continuations`, `alterations` and `truth_check`.
"""

from pathlib import Path

CHECKPOINTS = Path(__file__).parent / "checkpoints"
"""The folder of the checkpoints, which are part of the package."""


def checkpoint(family: str) -> Path:
    """Return the folder of a family's demo checkpoint. It does not exist for every family."""
    return CHECKPOINTS / family
