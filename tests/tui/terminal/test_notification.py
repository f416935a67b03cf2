"""Bells and notifications of the desktop: for what, and by which sequences."""

from __future__ import annotations

import pytest

from db.rows import NoticeKind, NoticeRow
from tui.config.settings import NotificationMode
from tui.terminal.notification import is_news, sequence


@pytest.mark.parametrize(
    ("kind", "cause", "news"),
    [
        ("finished", None, True),
        ("paused", "user", False),
        ("paused", "disk_full", True),
        ("stopped", None, False),
        ("stopped", "health", True),
        ("killed", None, False),  # it is seen otherwise
        ("model_blocked", "checkpoint", True),
        ("health_alarm", "warned", True),
        ("disk_low", None, True),
    ],
)
def test_what_the_user_did_themselves_is_no_news(
    kind: NoticeKind, cause: str | None, news: bool
) -> None:
    assert is_news(NoticeRow(created=1.0, kind=kind, text="t", cause=cause)) is news


OSC9 = "\x1b]9;p: finished\x1b\\"
OSC777 = "\x1b]777;notify;p;finished\x1b\\"


@pytest.mark.parametrize(
    ("mode", "environment", "written"),
    [
        ("off", {}, ""),
        ("bell", {}, "\a"),
        ("auto", {"TERM": "xterm-256color"}, f"\a{OSC9}"),
        ("auto", {"TERM": "xterm-256color", "VTE_VERSION": "7600"}, f"\a{OSC777}"),
        ("auto", {"TERM": "foot"}, f"\a{OSC777}"),
        ("auto", {"TERM": "rxvt-unicode-256color"}, f"\a{OSC777}"),
        ("osc9", {"TERM": "foot"}, f"\a{OSC9}"),
        ("osc777", {"TERM": "xterm"}, f"\a{OSC777}"),
        (
            "osc9",
            {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"},
            "\a\x1bPtmux;\x1b\x1b]9;p: finished\x1b\x1b\\\x1b\\",
        ),
        ("osc9", {"TERM": "screen", "STY": "1.pts"}, "\a\x1bP\x1b]9;p: finished\a\x1b\\"),
    ],
)
def test_sequences(mode: NotificationMode, environment: dict[str, str], written: str) -> None:
    assert sequence(mode, "p", "finished", environment) == written


def test_no_text_ends_its_sequence() -> None:
    hostile = "a\x1b]0;title\a\x9c;b\n"
    for mode in ("osc9", "osc777"):
        written = sequence(mode, hostile, hostile * 100, {})
        inside = written.removeprefix("\a\x1b]").removesuffix("\x1b\\")
        assert inside.isprintable()
        assert inside.count(";") == {"osc9": 1, "osc777": 3}[mode]
        assert len(inside) < 500
