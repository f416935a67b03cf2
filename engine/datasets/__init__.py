"""Caption files: the inputs that are read, the exports that are written, and `JointCaptions`.

Process: commands, the application, training scripts.
May import: `engine.project` and what is below it, `db`.
Must never: import torch, except in `joint`, which is imported when `JointCaptions` is first used.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "JointCaptions":
        from engine.datasets.joint import JointCaptions

        return JointCaptions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
