"""How a model whose server does not answer is told of."""

from __future__ import annotations

import time

from db.rows import ModelRow


def waiting(model: ModelRow) -> str | None:
    """Until when and why; None for a model that does not wait."""
    if model.unavailable is None:
        return None
    at = time.strftime("%H:%M:%S", time.localtime(model.not_before))
    what = f"waits until {at}" if model.not_before > time.time() else "is asked again"
    return f"{what}: {model.unavailable}"
