"""Caption files in, caption files out. Without torch, but for `JointCaptions`, imported late."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "JointCaptions":
        from engine.datasets.joint import JointCaptions

        return JointCaptions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
