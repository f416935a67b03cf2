"""Files of ours outside any project: settings, and what was opened and copied last."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from platformdirs import user_config_path, user_state_path

NAME = "mllmaug-tui"
RECENT_KEPT = 9


def config_file() -> Path:
    return user_config_path(NAME) / "config.toml"


def last_copy() -> Path:
    return user_state_path(NAME) / "last-copy.txt"


def recent_file() -> Path:
    return user_state_path(NAME) / "recent.json"


def recent() -> list[Path]:
    """Projects opened lately that are still there, the newest first."""
    try:
        named = json.loads(recent_file().read_text())
    except (OSError, ValueError):
        return []
    folders = [Path(name) for name in named if isinstance(name, str)]
    return [folder for folder in folders if (folder / "project.db").is_file()]


def remember(folder: Path) -> None:
    """Nothing depends on it: a home that cannot be written to is no trouble."""
    folders = [folder, *(other for other in recent() if other != folder)][:RECENT_KEPT]
    with suppress(OSError):
        write(recent_file(), json.dumps([str(each) for each in folders]))


def write(path: Path, said: str) -> None:
    """Readable by this user alone. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(said.encode("utf-8", "backslashreplace"))
    part.replace(path)
