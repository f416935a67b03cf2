"""The user's settings in `config.toml`: keys, theme, and how images are drawn."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from engine.captioners.api_keys import table_problems
from engine.notices.hooks import hook_problems
from engine.utils.errors import BadInput
from engine.utils.plurals import plural
from engine.utils.user_config import config_file

ImageMode = Literal["auto", "kitty", "sixel", "cells", "off"]
"""How images are drawn: `auto` takes the best that the terminal can do, `cells` half blocks."""
NotificationMode = Literal["auto", "bell", "osc9", "osc777", "off"]
"""How the terminal tells of a run: by a bell alone, or also by a notification of the desktop, whose
escape sequence is chosen (`auto`) or named."""
ALL_IGNORED = "all of its settings are ignored"
"""What follows if the file cannot be read."""


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


def read_values(path: Path) -> dict[str, Any]:
    """Return what the file holds; nothing without a file.

    Raises `BadInput`, which names the file, if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error


def read(with_keys: bool = True) -> tuple[UserSettings, str | None]:
    """Return the settings, and a warning about mistakes in them, None if there are none.

    A setting with a mistake has its default, and so has every setting of a file that cannot be
    read. `with_keys` is as in `problems`.
    """
    path = config_file()
    try:
        values = read_values(path)
    except BadInput as error:
        return UserSettings(), f"{error}; {ALL_IGNORED}"
    found = list(problems(values, with_keys))
    wrong = {name for name, _ in found}
    valid = {name: value for name, value in values.items() if name not in wrong}
    return UserSettings(**valid), warning_about(path, [problem for _, problem in found])


def config_warning() -> str | None:
    """Return a warning about what is wrong with the file, None if nothing is.

    The names of keys are not looked at: only the application uses them, and they take long to
    collect.
    """
    return read(with_keys=False)[1]


def warning_about(path: Path, found: Sequence[str]) -> str | None:
    """Return one line about the problems of a file, None if there are none."""
    if not found:
        return None
    others = len(found) - 1
    more = f" (and {plural(others, 'more mistake')})" if others else ""
    return f"{path}: {found[0]}{more}; a setting with a mistake is ignored"


def problems(values: dict[str, Any], with_keys: bool = True) -> Iterator[tuple[str, str]]:
    """Yield the name of each setting that is wrong, and what is wrong with it.

    `with_keys` is True if the names in the table `keys` are looked at, too.
    """
    known = tuple(field.name for field in fields(UserSettings))
    for name in values:
        if name not in known:
            yield name, f"there is no setting {name!r}: one of {', '.join(known)}"
    if not isinstance(values.get("theme", ""), str):
        yield "theme", "theme must be text"
    if values.get("images", "auto") not in get_args(ImageMode):
        yield "images", f"images must be one of {', '.join(get_args(ImageMode))}"
    if not isinstance(values.get("health_stop", True), bool):
        yield "health_stop", "health_stop must be true or false"
    if values.get("notifications", "auto") not in get_args(NotificationMode):
        choices = ", ".join(get_args(NotificationMode))
        yield "notifications", f"notifications must be one of {choices}"
    for problem in table_problems(values.get("api_keys", {})):
        yield "api_keys", problem
    for problem in hook_problems(values.get("on_event", {})):
        yield "on_event", problem
    keys = values.get("keys", {})
    if not isinstance(keys, dict):
        yield "keys", "keys must be a table"
    elif keys and with_keys:
        for problem in key_problems(keys):
            yield "keys", problem


def key_problems(keys: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the table `keys`."""
    from tui.config.keymap import binding_ids

    ids = binding_ids()
    for name, key in keys.items():
        if name not in ids:
            yield f"there is no key binding {name!r} (Help shows their names)"
        elif not isinstance(key, str) or not key.strip():
            yield f"{name}: write a key, such as 'ctrl+r', or several with commas"
