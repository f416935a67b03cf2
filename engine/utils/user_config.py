"""Where the user's own configuration lies: outside any project, and never part of one."""

from __future__ import annotations

import tomllib
from pathlib import Path

from platformdirs import user_config_path, user_state_path

APP_NAME = "mllmaug-tui"
"""The name of our folders among the user's configuration and state."""


def config_file() -> Path:
    """Return the path of `config.toml`, which need not exist."""
    return user_config_path(APP_NAME) / "config.toml"


def stops_sick_models() -> bool:
    """Return what `health_stop` in `config.toml` says; True without it, or if it cannot be read."""
    try:
        with config_file().open("rb") as file:
            return tomllib.load(file).get("health_stop") is not False
    except (OSError, ValueError):
        return True


def state_folder() -> Path:
    """Return the folder of what is remembered for this user; it need not exist."""
    return user_state_path(APP_NAME)
