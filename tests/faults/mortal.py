"""A server in a process of its own that can die, and is started again whenever it did."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from threading import Event, Thread

from tests.faults.servers import Asked, Server


class Mortal:
    """It dies of the image with this checksum; the ones before are answered after `seconds`."""

    def __init__(self, deadly: int = 0, seconds: float = 0.01) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            self.port = held.getsockname()[1]
        self.command = [sys.executable, "-m", __name__, *map(str, (self.port, deadly, seconds))]
        self.deaths = 0
        self.closed = Event()
        self.process = subprocess.Popen(self.command)
        self.keeper = Thread(target=self.keep)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def keep(self) -> None:
        while True:
            self.process.wait()
            if self.closed.is_set():
                return
            self.deaths += 1
            self.process = subprocess.Popen(self.command)

    def kill(self) -> None:
        self.process.kill()

    def __enter__(self) -> Mortal:
        self.keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()
        while self.keeper.is_alive():  # it may have been started again at this moment
            self.process.kill()
            self.keeper.join(0.1)


def main(port: int, deadly: int, seconds: float) -> None:
    def behave(asked: Asked) -> None:
        if asked.crc == deadly:
            os._exit(1)

    server = Server(behave, port)
    server.seconds = seconds
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
