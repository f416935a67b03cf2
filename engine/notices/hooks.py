"""The user's hooks: what is called when something happens to a run of theirs.

They are in the user's own `config.toml`, and nowhere else: a project may come from somebody else,
and must not run commands. A hook is a command as a list of arguments, which no shell ever sees, or
a webhook.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from db.rows import NOTICE_KINDS, NoticeKind
from engine.utils.errors import BadInput
from engine.utils.user_config import config_file

HOOK_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
FIELDS = ("command", "webhook", "events")
"""What the table of a hook may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One hook: it has a command or a webhook."""

    name: str
    command: tuple[str, ...] = ()
    """A program and its arguments."""
    webhook: str = ""
    """An address that JSON is posted to. It may hold a secret, and is never shown."""
    events: tuple[NoticeKind, ...] = NOTICE_KINDS
    """The kinds of notices that it is called with."""


def read_hooks() -> tuple[Hook, ...]:
    """Return the hooks of the user's `config.toml`, as it is now. Raises `BadInput`."""
    path = config_file()
    try:
        with path.open("rb") as file:
            table = tomllib.load(file).get("on_event", {})
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise BadInput(f"no hook is called: cannot read {path}: {error}") from error
    problem = next(hook_problems(table), None)
    if problem is not None:
        raise BadInput(f"no hook is called: {path}: {problem}")
    return tuple(to_hook(name, fields) for name, fields in table.items())


def to_hook(name: str, fields: dict[str, Any]) -> Hook:
    """Return the hook of a table in which `hook_problems` found nothing."""
    return Hook(
        name=name,
        command=tuple(fields.get("command", ())),
        webhook=fields.get("webhook", ""),
        events=tuple(fields.get("events", NOTICE_KINDS)),
    )


def hook_problems(table: Any) -> Iterator[str]:
    """Yield what is wrong with the value of `on_event` in the file."""
    if not isinstance(table, dict):
        yield "on_event must be a table: [on_event.NAME]"
        return
    for name, fields in table.items():
        where = f"on_event.{name}"
        if not HOOK_NAME.fullmatch(name):
            yield f"{where}: a name has letters, digits, - and _ only, 40 at most"
        elif not isinstance(fields, dict):
            yield f"{where} must be a table: [on_event.NAME]"
        else:
            yield from (f"{where}: {problem}" for problem in field_problems(fields))


def field_problems(fields: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the table of one hook."""
    for name in fields:
        if name not in FIELDS:
            yield f"no setting {name!r}: one of {', '.join(FIELDS)}"
    if ("command" in fields) == ("webhook" in fields):
        yield "write either a command or a webhook"
    if "command" in fields and not is_command(fields["command"]):
        yield 'command must be a list of texts, the program first: ["notify-send", "captions"]'
    if "webhook" in fields and not is_web_address(fields["webhook"]):
        yield "webhook must be an address: https://HOST/PATH"
    events = fields.get("events", list(NOTICE_KINDS))
    if not isinstance(events, list) or not all(event in NOTICE_KINDS for event in events):
        yield f"events must be a list of {', '.join(NOTICE_KINDS)}"


def is_command(value: Any) -> bool:
    """Return True if it is a program with its arguments, as the operating system takes them."""
    return (
        isinstance(value, list)
        and all(isinstance(word, str) and "\0" not in word for word in value)
        and bool(value and value[0].strip())
    )


def is_web_address(value: Any) -> bool:
    """Return True if it is an address of http or https with a host."""
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
