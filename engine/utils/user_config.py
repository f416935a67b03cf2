"""Where the user's own configuration lies: outside any project, and never part of one."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_config_path, user_state_path

APP_NAME = "mllmaug-tui"
"""The name of our folders among the user's configuration and state."""


def config_file() -> Path:
    """Return the path of `config.toml`, which need not exist."""
    return user_config_path(APP_NAME) / "config.toml"


def state_folder() -> Path:
    """Return the folder of what is remembered for this user; it need not exist."""
    return user_state_path(APP_NAME)
