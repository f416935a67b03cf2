"""The user's settings in `config.toml`: keys, theme, and how images are drawn."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from engine.captioners.api_keys import table_problems
from engine.notices.hooks import hook_problems
from engine.utils.errors import BadInput
from engine.utils.user_config import config_file

ImageMode = Literal["auto", "kitty", "sixel", "cells", "off"]
"""How images are drawn: `auto` takes the best that the terminal can do, `cells` half blocks."""
NotificationMode = Literal["auto", "bell", "osc9", "osc777", "off"]
"""How the terminal tells of a run: by a bell alone, or also by a notification of the desktop, whose
escape sequence is chosen (`auto`) or named."""


@dataclass(frozen=True, kw_only=True)
class UserSettings:
    """The contents of `config.toml`."""

    theme: str | None = None
    """A theme of Textual or of `tui.config.themes`; None: the default one."""
    images: ImageMode = "auto"
    """How pictures are drawn: `kitty`, `sixel`, `cells` (half blocks) or `off`; `auto` takes the
    best that the terminal can do."""
    health_stop: bool = True
    """False if no model is to be stopped for bad captions, as with `run --no-health-stop`."""
    notifications: NotificationMode = "auto"
    """How the application tells of the run when nobody looks at it: by `bell`, or also by a desktop
    notification with `osc9` or `osc777`; `auto` chooses, `off` is silent."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Maps the id of a binding (shown in Help) to the keys that replace its own, with commas."""
    api_keys: Mapping[str, str] = field(default_factory=dict)
    """Maps servers to environment variables: `engine.captioners.api_keys` reads it."""
    on_event: Mapping[str, Any] = field(default_factory=dict)
    """The hooks by name: `engine.notices.hooks` reads them."""


def read(path: Path | None = None) -> UserSettings:
    """Read the settings; without a file they are the defaults.

    Raises `BadInput`, which names the file, if it cannot be read or sets something unknown.
    """
    path = path or config_file()
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except FileNotFoundError:
        return UserSettings()
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error
    problem = next(problems(values), None)
    if problem is not None:
        raise BadInput(f"{path}: {problem}")
    return UserSettings(**values)


def problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the values of the file."""
    known = tuple(field.name for field in fields(UserSettings))
    for name in values:
        if name not in known:
            yield f"there is no setting {name!r}: one of {', '.join(known)}"
    if not isinstance(values.get("theme", ""), str):
        yield "theme must be text"
    if values.get("images", "auto") not in get_args(ImageMode):
        yield f"images must be one of {', '.join(get_args(ImageMode))}"
    if not isinstance(values.get("health_stop", True), bool):
        yield "health_stop must be true or false"
    if values.get("notifications", "auto") not in get_args(NotificationMode):
        yield f"notifications must be one of {', '.join(get_args(NotificationMode))}"
    yield from table_problems(values.get("api_keys", {}))
    yield from hook_problems(values.get("on_event", {}))
    keys = values.get("keys", {})
    if not isinstance(keys, dict):
        yield "keys must be a table"
    elif keys:
        yield from key_problems(keys)


def key_problems(keys: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the table `keys`."""
    from tui.config.keymap import binding_ids

    ids = binding_ids()
    for name, key in keys.items():
        if name not in ids:
            yield f"there is no key binding {name!r} (Help shows their names)"
        elif not isinstance(key, str) or not key.strip():
            yield f"{name}: write a key, such as 'ctrl+r', or several with commas"
