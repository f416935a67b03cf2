"""A server in a process of its own that can die, and is started again whenever it did.

What starts it again is a process beside it, which forks: importing anew would cost more than all
that it answers.
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

from tests.faults.support.servers import Asked, Server

SECONDS = 0.01
DOWN_SECONDS = 0.3
"""Long enough for whoever asks to notice."""


class Mortal:
    """It dies of the image with this checksum, and of old age after about `life` images.

    What it is asked meanwhile is answered after `SECONDS`.
    """

    def __init__(self, deadly: int = 0, life: int = 10**6) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            self.port = held.getsockname()[1]
        self.command = [sys.executable, "-m", __name__, *map(str, (self.port, deadly, life))]
        self.pids: list[int] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def deaths(self) -> int:
        return len(self.pids) - 1

    def listen(self) -> None:
        self.pids.extend(map(int, self.keeper.stdout))

    def __enter__(self) -> Mortal:
        self.keeper = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pids.append(int(self.keeper.stdout.readline()))
        self.listener = Thread(target=self.listen)
        self.listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.keeper.stdin.close()
        self.keeper.wait()
        self.listener.join()


def keep(port: int, deadly: int, life: int) -> None:
    """Until the test, or whoever holds the other end of stdin, has ended. Prints each pid."""
    chance = random.Random(3)
    group = os.getpid()
    os.setpgid(0, 0)
    Thread(target=end_with_stdin, args=(group,), daemon=True).start()
    while True:
        pid = os.fork()
        if pid == 0:
            serve(port, deadly, chance.randint(life // 2, life * 3 // 2))
        print(pid, flush=True)
        os.waitpid(pid, 0)
        time.sleep(DOWN_SECONDS)


def end_with_stdin(group: int) -> None:
    sys.stdin.buffer.read()
    os.killpg(group, signal.SIGKILL)


def serve(port: int, deadly: int, life: int) -> None:
    def behave(asked: Asked) -> None:
        if asked.crc == deadly or asked.number > life:
            os._exit(1)

    server = Server(behave, port)
    server.seconds = SECONDS
    server.serve_forever()


if __name__ == "__main__":
    keep(*map(int, sys.argv[1:]))
