"""Fixtures for the tests of the benches."""

from __future__ import annotations

from tests.support.checkpoint_fixtures import (  # noqa: F401 (pytest finds them by name)
    checkpoints,
    family,
    one_thread,
    pictures,
)
