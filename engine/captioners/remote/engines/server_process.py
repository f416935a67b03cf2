"""One server that this process has started: awaited, watched, and ended with all that it started.

Its end takes nothing with it: `engine.process.keeper` kills what a server leaves behind, and kills
the server if this process ends, in whatever way.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import httpx2
import psutil

from engine.captioners.errors import CheckpointError
from engine.captioners.remote.engines.commands import HOST, ServerCommand
from engine.captioners.remote.engines.server_log import ServerLog
from engine.process import keeper

READY_SECONDS = 3600.0
"""Seconds within which a server must be ready: a large model may be loaded from a slow disk and
then compiled for many minutes, and one that goes on printing is never ready otherwise."""
LOOK_SECONDS = 0.25
"""Seconds between two looks at a server that is not ready."""
HEALTH_SECONDS = 5.0
"""Seconds within which a server must say whether it is ready."""
TRIES = 3
"""Ports that are tried before a server counts as one that cannot be started: another program may
take one before the server does."""
END_SECONDS = 30.0
"""Seconds that the end of a server is waited for; one whose processes sit in the kernel is not
waited for any longer."""

CommandMaker = Callable[[int, str], ServerCommand]
"""Returns the command of a server for a port and an API key."""
Report = Callable[[str], None]
"""Takes a text of progress."""


class PortTaken(Exception):
    """Another program listens on the port that a server was given."""


class ServerProcess:
    """A server from its start to its end."""

    def __init__(self, make_command: CommandMaker) -> None:
        """Start the server. Raises `CheckpointError`."""
        self.port, self.key = free_port(), secrets.token_urlsafe(32)
        self.command = make_command(self.port, self.key)
        environment = os.environ | dict(self.command.environment)
        try:
            self.keeper = keeper.start(self.command.arguments, environment)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"a server cannot be started: {error}") from error
        if self.keeper.stdout is None or self.keeper.stdin is None:
            raise ValueError("a keeper is started with pipes")
        self.orders = self.keeper.stdin
        self.log = ServerLog(self.keeper.stdout, sys.stderr.write, secret=self.key)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}/v1"

    def why_ended(self) -> str | None:
        """Return how the server has ended, with what it said last; None while it lives."""
        code = self.keeper.poll()
        if code is None:
            return None
        self.log.thread.join(HEALTH_SECONDS)
        how = f"exit code {code}"
        if code > keeper.SIGNAL_CODE or code < 0:
            how = f"signal {abs(code) % keeper.SIGNAL_CODE}"
        return f"the server has ended ({how}): {self.log.end or 'it printed nothing'}"

    def wait_until_ready(self, report: Report) -> None:
        """Wait for the server, reporting each line that it prints meanwhile.

        Raises `CheckpointError` if it ends, or is not ready in time, and `PortTaken`.
        """
        deadline, reported = time.monotonic() + READY_SECONDS, ""
        while not self.is_ready():
            if (ended := self.why_ended()) is not None:
                if is_taken(self.port):
                    raise PortTaken(ended)
                raise CheckpointError(ended)
            if time.monotonic() > deadline:
                raise CheckpointError(
                    f"the server was not ready within {READY_SECONDS:.0f} s: {self.log.end}"
                )
            line = self.log.last_line
            if line != reported:
                report(line)
                reported = line
            time.sleep(LOOK_SECONDS)

    def is_ready(self) -> bool:
        """Return True if the server says that it is ready. Raises `PortTaken`."""
        if not is_taken(self.port):
            return False
        if not self.listens():
            raise PortTaken(f"another program than the server answers on port {self.port}")
        try:
            response = httpx2.get(
                f"http://{HOST}:{self.port}{self.command.health}",
                headers={"Authorization": f"Bearer {self.key}"},
                timeout=HEALTH_SECONDS,
                trust_env=False,  # no proxy stands before this machine
            )
        except httpx2.HTTPError:
            return False
        return response.status_code == 200

    def listens(self) -> bool:
        """Return True if it is the server, or a process of its own, that listens on its port.

        Otherwise pictures and key would go to a stranger.
        """
        with suppress(psutil.NoSuchProcess):  # it has ended
            processes = psutil.Process(self.keeper.pid).children(recursive=True)
            return any(listens_on(self.port, process) for process in processes)
        return False

    def close(self) -> None:
        """End the server and all that it started."""
        with suppress(OSError, ValueError):  # it has ended, or was ended before
            self.orders.write(keeper.STOP)
            self.orders.flush()
        if not self.has_ended(keeper.STOP_SECONDS + HEALTH_SECONDS):
            with suppress(OSError):
                self.orders.close()
            self.has_ended(END_SECONDS)
        with suppress(OSError):
            self.orders.close()

    def has_ended(self, seconds: float) -> bool:
        """Return True if the server ends within so many seconds."""
        with suppress(subprocess.TimeoutExpired):
            self.keeper.wait(seconds)
        return self.keeper.returncode is not None


def listens_on(port: int, process: psutil.Process) -> bool:
    """Return True if a process listens on a port of this machine."""
    with suppress(psutil.Error):
        return any(
            it.status == psutil.CONN_LISTEN and it.laddr.port == port
            for it in process.net_connections("tcp")
        )
    return False


def start_server(make_command: CommandMaker, report: Report) -> ServerProcess:
    """Return a server that is ready. Raises `CheckpointError`."""
    for tries in range(1, TRIES + 1):
        server = ServerProcess(make_command)
        try:
            server.wait_until_ready(report)
        except PortTaken as error:
            server.close()
            if tries == TRIES:
                raise CheckpointError(f"no server in {TRIES} tries: {error}") from error
            report(f"starting again on another port: {error}")
        except BaseException:
            server.close()
            raise
        else:
            return server
    raise AssertionError


def free_port() -> int:
    """Return a port of this machine on which nothing listens."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def is_taken(port: int) -> bool:
    """Return True if something listens on a port of this machine."""
    with suppress(OSError), socket.create_connection((HOST, port), HEALTH_SECONDS):
        return True
    return False
