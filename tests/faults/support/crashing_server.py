"""A server in a process of its own that crashes on demand and is started again after each crash.

A keeper process forks it again: a new import would take longer than all of its replies.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from threading import Thread

from tests.faults.support.fake_server import CaptionRequest, FakeServer

DELAY_SECONDS = 0.01
"""Seconds after which a request is replied to."""
DOWN_SECONDS = 0.3
"""Seconds until the server is started again: long enough for a client to notice."""


class CrashingServer:
    """The server and its keeper, which run while a `with` block lasts.

    The server crashes at the image with the checksum `deadly`, and after about `life` images.
    """

    def __init__(self, deadly: int = 0, life: int = 10**6) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            self.port = unused.getsockname()[1]
        self.command = [sys.executable, "-m", __name__, *map(str, (self.port, deadly, life))]
        self.pids: list[int] = []
        """The pid of every process of the server so far."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def deaths(self) -> int:
        """Return how often the server has crashed."""
        return len(self.pids) - 1

    def read_pids(self) -> None:
        """Collect the pids that the keeper prints, until it ends."""
        self.pids.extend(map(int, self.keeper.stdout or ()))

    def __enter__(self) -> CrashingServer:
        self.keeper = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pids.append(int(self.keeper.stdout.readline()))
        self.pid_reader = Thread(target=self.read_pids)
        self.pid_reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.keeper.stdin.close()
        self.keeper.wait()
        self.pid_reader.join()


def keep_alive(port: int, deadly: int, life: int) -> None:
    """Start the server whenever it has ended, and print its pid.

    The keeper ends when the test, which holds the other end of stdin, has ended.
    """
    rng = random.Random(3)
    group = os.getpid()
    os.setpgid(0, 0)
    Thread(target=end_with_stdin, args=(group,), daemon=True).start()
    while True:
        pid = os.fork()
        if pid == 0:
            serve(port, deadly, rng.randint(life // 2, life * 3 // 2))
        print(pid, flush=True)
        os.waitpid(pid, 0)
        time.sleep(DOWN_SECONDS)


def end_with_stdin(group: int) -> None:
    """Kill the process group when stdin ends."""
    sys.stdin.buffer.read()
    os.killpg(group, signal.SIGKILL)


def serve(port: int, deadly: int, life: int) -> None:
    """Serve until the image `deadly`, or the image after the first `life`, comes."""

    def behave(request: CaptionRequest) -> None:
        if request.crc == deadly or request.number > life:
            os._exit(1)

    server = FakeServer(behave, port)
    server.delay_seconds = DELAY_SECONDS
    server.serve_forever()


if __name__ == "__main__":
    keep_alive(*map(int, sys.argv[1:]))
