"""A bell, and a notification of the desktop, by escape sequences that the terminal passes on.

They reach the user's own terminal through SSH. Sources: the "Proprietary escape codes" of iTerm2
(OSC 9), OSC 777 of urxvt and foot, tmux(1) "allow-passthrough", screen(1) "Device Control String".
"""

from __future__ import annotations

from collections.abc import Mapping

from db.rows import NoticeRow
from tui.config.settings import NotificationMode
from tui.formatting.escape import visible

BELL = "\a"
MAX_TEXT = 200
"""Characters of a notification: desktops show a few lines."""


def is_news(notice: NoticeRow) -> bool:
    """Return True unless the user did it themselves, or is told it in another way.

    An application that may change nothing finds no notice of a killed run: it sees that it was.
    """
    by_person = notice.kind in ("paused", "stopped") and notice.cause in (None, "user")
    return not by_person and notice.kind != "killed"


def sequence(mode: NotificationMode, title: str, text: str, environment: Mapping[str, str]) -> str:
    """Return what to write to the terminal; empty if the user wants nothing.

    Desktop notifications are OSC 777 or OSC 9, by the terminal, since some know both and would show
    two. `environment` is that of the application, behind any tmux and SSH.
    """
    if mode == "off":
        return ""
    if mode == "bell":
        return BELL
    chosen = mode if mode != "auto" else protocol_of(environment)
    title, text = clean(title), clean(text)
    body = f"777;notify;{title};{text}" if chosen == "osc777" else f"9;{title}: {text}"
    return BELL + pass_on(f"\x1b]{body}\x1b\\", environment)


def protocol_of(environment: Mapping[str, str]) -> NotificationMode:
    """Return the protocol of a terminal: OSC 777 for GNOME's (VTE), urxvt and foot, else OSC 9."""
    term = environment.get("TERM", "")
    is_777 = "VTE_VERSION" in environment or term.startswith(("rxvt", "foot"))
    return "osc777" if is_777 else "osc9"


def clean(text: str) -> str:
    """Return a text as it may stand in a sequence: no control character ends it, no ; parts it."""
    return visible(text).replace(";", ",")[:MAX_TEXT]


def pass_on(escape: str, environment: Mapping[str, str]) -> str:
    """Return a sequence as tmux or screen pass it on to the terminal around them.

    tmux does so if `allow-passthrough` is on.
    """
    if environment.get("TMUX"):
        doubled = escape.replace("\x1b", "\x1b\x1b")
        return f"\x1bPtmux;{doubled}\x1b\\"
    if environment.get("STY"):  # screen ends its string at the first terminator: use the bell's
        inner = escape.removesuffix("\x1b\\") + BELL
        return f"\x1bP{inner}\x1b\\"
    return escape
