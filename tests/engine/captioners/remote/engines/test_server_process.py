"""Starting a server: what is reported, what is refused, and that nothing is left of it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.captioners.errors import CheckpointError
from engine.captioners.remote.engines import server_process
from engine.captioners.remote.engines.commands import ServerCommand
from engine.captioners.remote.engines.server_process import ServerProcess, start_server
from tests.faults.support.fake_server import FakeServer
from tests.faults.support.misbehaving_engine import processes
from tests.support.waiting import TIMEOUT_SECONDS, wait_for

SERVER = """
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({status})
        self.end_headers()
print("step 1", flush=True)
time.sleep(0.2)
{first}
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""A server that answers every request with one status."""


@pytest.fixture
def maker(tmp_path: Path) -> Callable[..., Callable[[int, str], ServerCommand]]:
    """A function that returns the `CommandMaker` of a server, whose processes name `tmp_path`."""

    def make(status: int = 200, first: str = "") -> Callable[[int, str], ServerCommand]:
        code = SERVER.format(status=status, first=first)
        return lambda port, key: ServerCommand(
            arguments=(sys.executable, "-c", code, str(port), str(tmp_path))
        )

    return make


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_process, "LOOK_SECONDS", 0.02)


def test_what_a_server_prints_is_reported_until_it_is_ready(
    maker: Callable[..., Callable[[int, str], ServerCommand]], tmp_path: Path
) -> None:
    steps: list[str] = []
    server = start_server(maker(), steps.append)
    assert steps == ["step 1"]
    assert (server.why_ended(), bool(processes(tmp_path))) == (None, True)
    server.close()
    server.close()
    assert "the server has ended (signal 15): step 1" in str(server.why_ended())
    wait_for(lambda: not processes(tmp_path))


@pytest.mark.parametrize(
    ("status", "first", "seconds", "message"),
    [
        (
            200,
            "sys.exit('no weights')",
            TIMEOUT_SECONDS,
            r"has ended \(exit code 1\): step 1 \| no weights",
        ),
        (200, "os.abort()", TIMEOUT_SECONDS, r"has ended \(signal 6\)"),
        # So many seconds are for a slow machine to start the server and print something.
        (503, "", 10.0, "was not ready within 10 s: .*(step 1|503)"),
        (200, "time.sleep(600)", 1.0, "was not ready within 1 s"),
    ],
)
def test_a_server_that_is_never_ready_is_ended(
    maker: Callable[..., Callable[[int, str], ServerCommand]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    first: str,
    seconds: float,
    message: str,
) -> None:
    monkeypatch.setattr(server_process, "READY_SECONDS", seconds)
    with pytest.raises(CheckpointError, match=message):
        start_server(maker(status, first), lambda _: None)
    wait_for(lambda: not processes(tmp_path))


@pytest.mark.parametrize("first", ["", "time.sleep(600)"])
def test_a_port_that_another_program_has_taken_is_left_to_it(
    maker: Callable[..., Callable[[int, str], ServerCommand]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
) -> None:
    """Whether the server then ends or not, the other program gets neither picture nor key."""
    with FakeServer() as stranger:
        ports = iter([stranger.server_port, *(server_process.free_port() for _ in range(2))])
        monkeypatch.setattr(server_process, "free_port", lambda: next(ports))
        commands = iter([maker(200, first), maker()])
        server = start_server(lambda port, key: next(commands)(port, key), lambda _: None)
        assert server.port != stranger.server_port
        assert not stranger.requests
    server.close()
    wait_for(lambda: not processes(tmp_path))


def test_no_port_to_be_had_is_said(
    maker: Callable[..., Callable[[int, str], ServerCommand]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        monkeypatch.setattr(server_process, "free_port", lambda: stranger.getsockname()[1])
        with pytest.raises(CheckpointError, match="no server in 3 tries: "):
            start_server(maker(), lambda _: None)


@pytest.mark.parametrize(
    ("program", "message"),
    [("/no/such/program", "/no/such/program cannot be started"), ("a\0b", "null byte")],
)
def test_a_program_that_cannot_be_started_is_named(program: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        ServerProcess(lambda *_: ServerCommand(arguments=(program,))).wait_until_ready(
            lambda _: None
        )
