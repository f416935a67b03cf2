"""The user's files outside any project: settings, recent projects, and the last copied text."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.utils.user_config import state_folder

MAX_SEEN = 100
"""Projects of which it is remembered how they were last seen."""
MAX_RECENT = 9
"""Recent projects that are remembered and listed on the welcome screen."""


def last_copy_file() -> Path:
    return state_folder() / "last-copy.txt"


def recent_file() -> Path:
    return state_folder() / "recent.json"


def seen_file() -> Path:
    return state_folder() / "seen.json"


def theme_file() -> Path:
    return state_folder() / "theme"


def chosen_theme() -> str | None:
    """Return the theme that was chosen last in the application, None if none was."""
    try:
        return theme_file().read_text("utf-8", "replace").strip() or None
    except OSError:
        return None


def remember_theme(name: str) -> None:
    """Keep the theme for the next start."""
    with suppress(OSError):  # as for the recent projects
        write_private(theme_file(), f"{name}\n")


def last_seen() -> dict[str, Any]:
    """Return how projects were last seen, by their uid: what `remember_seen` was given."""
    try:
        found = json.loads(seen_file().read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remember_seen(uid: str, seen: dict[str, Any]) -> None:
    """Keep how a project was seen, for the next start."""
    others = [(other, value) for other, value in last_seen().items() if other != uid]
    with suppress(OSError):  # as for the recent projects
        write_private(seen_file(), json.dumps(dict([*others, (uid, seen)][-MAX_SEEN:])))


def recent_projects() -> list[Path]:
    """Return the folders of recently opened projects that still exist, the newest first."""
    try:
        names = json.loads(recent_file().read_text())
    except (OSError, ValueError):
        return []
    folders = [Path(name) for name in names if isinstance(name, str)]
    return [folder for folder in folders if (folder / "project.db").is_file()]


def remember_project(folder: Path) -> None:
    """Put a project first among the recent ones."""
    folders = [folder, *(other for other in recent_projects() if other != folder)][:MAX_RECENT]
    # Nothing depends on the list: a home that cannot be written to is no error.
    with suppress(OSError):
        write_private(recent_file(), json.dumps([str(each) for each in folders]))


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    part.replace(path)
