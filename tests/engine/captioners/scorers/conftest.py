"""The fixtures of this folder."""

from __future__ import annotations

from tests.support.checkpoint_fixtures import one_thread  # noqa: F401 (pytest finds it by name)
