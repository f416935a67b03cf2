"""The fixtures of this folder."""

from __future__ import annotations

from tests.support.checkpoint_fixtures import (  # noqa: F401 (pytest finds them by name)
    checkpoints,
    damaged_checkpoint,
    family,
    one_thread,
)
from tests.support.small_project import small, template  # noqa: F401 (the same)
