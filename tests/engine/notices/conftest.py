"""The fixtures of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.utils.user_config import config_file
from tests.support.small_project import small, template  # noqa: F401 (pytest finds them by name)


@pytest.fixture
def config() -> Path:
    """The path of the user's `config.toml`, whose folder exists."""
    config_file().parent.mkdir(parents=True, exist_ok=True)
    return config_file()
