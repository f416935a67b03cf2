"""The text for a model whose server does not answer."""

from __future__ import annotations

import time

from db.rows import ModelRow


def describe_wait(model: ModelRow) -> str | None:
    """Return until when the model waits, and why; None if its server answers."""
    if model.unavailable is None:
        return None
    until = time.strftime("%H:%M:%S", time.localtime(model.not_before))
    state = f"waits until {until}" if model.not_before > time.time() else "is asked again"
    return f"{state}: {model.unavailable}"
