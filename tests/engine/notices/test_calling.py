"""Calling commands and webhooks: what they get, and what becomes of those that fail or hang."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from db.rows import NoticeRow
from engine.notices.calling import CallFailed, call, describe_notice
from engine.notices.hooks import Hook
from engine.process import identity
from engine.project.layout import Project
from tests.support.waiting import wait_for

HOSTILE = "a; touch x $(touch x) `touch x` \"' \n \x1b]0;x\a \ud800"
NOTICE = NoticeRow(created=1.5e9, kind="model_blocked", text=HOSTILE, model=HOSTILE, cause="error")
MESSAGE = describe_notice(Project(Path("/data/$(touch x)")), NOTICE)


def command(*words: str) -> Hook:
    return Hook(name="tell", command=words)


def test_a_command_gets_the_notice_as_json_on_stdin_and_no_shell_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "tell").write_text('#!/bin/sh\ncat > told.json; printf "%s" "$1" > argument\n')
    (tmp_path / "tell").chmod(0o700)
    call(command("~/tell", "$(touch x)"), MESSAGE)
    told = json.loads((tmp_path / "told.json").read_text())
    assert (tmp_path / "argument").read_text() == "$(touch x)"
    assert told["text"] == told["model"] == HOSTILE.replace("\ud800", "\\ud800")
    assert (told["event"], told["cause"]) == ("model_blocked", "error")
    assert (told["project"], told["name"]) == ("/data/$(touch x)", "$(touch x)")
    assert told["time"] == "2017-07-14T02:40:00+00:00"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("/no/such/program",), "cannot start /no/such/program"),
        (("/",), "cannot start /"),
        (("sh", "-c", "exit 3"), "^exit code 3$"),
        (("sh", "-c", "echo no; echo a >&2; echo b >&2; exit 1"), "^exit code 1: b$"),
        (("sh", "-c", "kill -9 $$"), "^killed by signal 9$"),
    ],
)
def test_a_command_that_fails_says_why(words: tuple[str, ...], reason: str) -> None:
    with pytest.raises(CallFailed, match=reason):
        call(command(*words), MESSAGE)


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' TERM; sleep 600 & echo $! $$ > {pids}; wait; sleep 600"
    with pytest.raises(CallFailed, match="did not end within 0 s, and was killed"):
        call(command("sh", "-c", script), MESSAGE, seconds=0.3)
    started = [int(pid) for pid in pids.read_text().split()]
    wait_for(lambda: all(identity.process_start(pid) is None for pid in started))


def test_a_process_that_a_command_leaves_behind_holds_nobody_up(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    call(command("sh", "-c", f"sleep 600 & echo $! > {pid_file}"), MESSAGE)
    os.kill(int(pid_file.read_text()), 9)


class Receiver(BaseHTTPRequestHandler):
    """A webhook; `/STATUS` answers with that, `/hang` never."""

    bodies: list[bytes]
    ended: Event

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Content-Type"] == "application/json"
        if self.path == "/hang":
            self.ended.wait()
            return
        self.send_response(int(self.path[1:]))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a webhook, and the bodies that it got."""
    Receiver.bodies, Receiver.ended = [], Event()
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Receiver.bodies
    Receiver.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_the_notice_once_whatever_it_answers(
    receiver: tuple[str, list[bytes]],
) -> None:
    address, bodies = receiver
    call(Hook(name="chat", webhook=f"{address}/204"), MESSAGE)
    assert bodies == [MESSAGE]
    for path, reason in {
        "404": "HTTP 404",
        "500": "HTTP 500",
        "302": "HTTP 302",
        "hang": "did not answer within 5 s",
    }.items():
        bodies.clear()
        with pytest.raises(CallFailed, match=reason) as failed:
            call(Hook(name="chat", webhook=f"{address}/{path}"), MESSAGE, seconds=5)
        wait_for(lambda: len(bodies) == 1)
        assert "127.0.0.1" not in str(failed.value)  # the address may hold a secret


def test_a_webhook_that_is_not_there() -> None:
    with pytest.raises(CallFailed, match="cannot be reached: ConnectError"):
        call(Hook(name="chat", webhook="http://127.0.0.1:9/secret"), MESSAGE)


def test_the_interpreter_of_a_command_needs_no_tty() -> None:
    code = "import os, sys; sys.exit(os.isatty(0) or os.getsid(0) != os.getpid())"
    call(command(sys.executable, "-c", code), MESSAGE)
