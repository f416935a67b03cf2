"""What the terminal is asked, what its answers mean, and how pictures are then drawn."""

from __future__ import annotations

import os
import pty
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.terminal import graphics
from tui.terminal.graphics import ImageSupport, judge_answer
from tui.terminal.graphics_query import (
    ATTRIBUTES_QUERY,
    KITTY_QUERY,
    TerminalAnswer,
    ask_terminal,
    exchange,
    parse_answer,
    unechoed,
)

PLAIN = {"TERM": "xterm-256color"}
KITTY = b"\x1b_Gi=31;OK\x1b\\\x1bP>|kitty(0.35.2)\x1b\\\x1b[?62;c"
ITERM = b"\x1bP>|iTerm2 3.5.4\x1b\\\x1b[?62;4c"
TMUX = b"\x1bP>|tmux 3.3a\x1b\\\x1b[?1;2c"


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (KITTY, TerminalAnswer(kitty=True, name="kitty(0.35.2)")),
        (ITERM, TerminalAnswer(sixel=True, name="iTerm2 3.5.4")),
        (TMUX, TerminalAnswer(name="tmux 3.3a")),
        (b"\x1b[?64;14;41c", TerminalAnswer()),
        (b"\x1b_Gi=31;ENOTSUPPORTED:no\x1b\\\x1b[?4;6c", TerminalAnswer(sixel=True)),
        (b"jj\x1b[A3\x1b[?62;4c", TerminalAnswer(sixel=True)),
        (b"", TerminalAnswer()),
    ],
)
def test_answers(data: bytes, answer: TerminalAnswer) -> None:
    assert parse_answer(data) == answer


@given(st.binary(), st.binary())
def test_any_bytes_are_parsed(before: bytes, after: bytes) -> None:
    parse_answer(before)
    assert parse_answer(before + b"\x1b_Gi=31;OK\x1b\\" + after).kitty


@pytest.mark.parametrize(
    ("data", "installed", "in_tmux", "protocol", "words"),
    [
        (KITTY, True, False, "kitty", "kitty(0.35.2) says that it draws them"),
        (ITERM, True, False, "sixel", "iTerm2 3.5.4 says"),
        (KITTY + ITERM, True, False, "kitty", "kitty"),
        (KITTY, False, False, "cells", "kitty(0.35.2) draws kitty pictures; kitty and sixel pict"),
        (TMUX, True, True, "cells", "tmux 3.3a does not say that it draws pictures; tmux passes"),
        (ITERM, True, True, "sixel", "iTerm2"),
        (KITTY, True, True, "cells", "tmux passes"),
        (b"", True, False, "cells", "the terminal does not say that it draws pictures; kitty,"),
    ],
)
def test_the_best_way(
    data: bytes, installed: bool, in_tmux: bool, protocol: str, words: str
) -> None:
    support = judge_answer(parse_answer(data), installed, in_tmux)
    assert support.protocol == protocol
    assert words in support.reason
    assert words in str(support)


def never() -> TerminalAnswer:
    raise AssertionError("the terminal must not be asked")


@pytest.mark.parametrize(
    ("mode", "environment", "protocol"),
    [
        ("off", PLAIN, "none"),
        ("cells", PLAIN, "cells"),
        ("auto", PLAIN | {"NO_COLOR": "1"}, "none"),
        ("auto", {"TERM": "dumb"}, "none"),
        ("auto", {"TERM": "linux"}, "none"),
        ("auto", PLAIN, "cells"),
        ("sixel", PLAIN, "cells"),
    ],
)
def test_when_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, mode: str, environment: dict[str, str], protocol: str
) -> None:
    monkeypatch.setattr(graphics, "images_extra_installed", lambda: False)
    support = graphics.choose(mode, environment, never)  # type: ignore[arg-type]
    assert support.protocol == protocol
    assert support.reason


def test_the_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    monkeypatch.setattr(graphics, "images_extra_installed", lambda: True)
    monkeypatch.setattr(graphics, "import_textual_image", lambda: imported.append("once"))
    support = graphics.choose("auto", PLAIN, lambda: parse_answer(ITERM))
    assert support == ImageSupport("sixel", "iTerm2 3.5.4 says that it draws them")
    assert graphics.choose("auto", PLAIN, lambda: parse_answer(TMUX)).protocol == "cells"
    assert imported == ["once"]


@pytest.mark.parametrize("answers", [KITTY, TMUX, b""], ids=["kitty", "tmux", "no answer"])
def test_a_terminal_answers_or_does_not(answers: bytes) -> None:
    master, slave = pty.openpty()

    def answer() -> None:
        asked = b""
        while not asked.endswith(ATTRIBUTES_QUERY):
            asked += os.read(master, 1)
        assert asked.startswith(KITTY_QUERY)
        os.write(master, answers)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with unechoed(slave):
            data = exchange(slave, 30 if answers else 0.05)
    finally:
        thread.join()
        os.close(master)
        os.close(slave)
    assert data == answers


def test_without_a_terminal_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError("no such device")

    monkeypatch.setattr("tui.terminal.graphics_query.os.open", refuse)
    assert ask_terminal() == TerminalAnswer()
