"""A server that a worker starts, which captions like `dry-run` and misbehaves as it is told.

Its checkpoint folder holds a file `faults`, with one of `FAULTS` a line: each start takes the next
one, and behaves well once there is none left. `AT_ONCE` behind a fault has it at the first request.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.process.python_command import python_command
from tests.faults.support.fake_server import CaptionRequest, FakeServer, Reply, error_reply

GOOD_REQUESTS = 4
"""Requests that are answered well before a fault: the probe image's, and some of records."""
AT_ONCE = " at once"
"""What follows a fault that begins with the first request."""
DEADLY = "deadly"
"""A file of the folder, with the CRC-32 of the image of which the server dies at once."""


def command() -> list[str]:
    """Return the command of a model's setting `backend`."""
    return python_command(__name__, "{port}", "{key}", "{model}")


def write_faults(
    folder: Path,
    faults: Sequence[str] = (),
    *,
    deadly: bytes | None = None,
    delay_seconds: float = 0.01,
) -> Path:
    """Make a checkpoint folder for servers with these faults, and return it.

    They die of the image `deadly`, if there is one, and answer after `delay_seconds`.
    """
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "faults").write_text("\n".join(faults))
    (folder / "delay").write_text(str(delay_seconds))
    if deadly is not None:
        (folder / DEADLY).write_text(str(zlib.crc32(deadly)))
    return folder


def starts(folder: Path) -> int:
    """Return how many servers were started for a folder."""
    file = folder / "starts"
    return file.stat().st_size if file.exists() else 0


def processes(folder: Path) -> list[int]:
    """Return the pids of the servers of a folder, of their keepers, and of all that they left."""
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if bytes(folder) in arguments and state != "Z" and int(process.name) != os.getpid():
            pids.append(int(process.name))
    return pids


def leave_children() -> None:
    """Leave a child, one in a session of its own, and one whose parent has ended."""
    for session in (False, True, True):
        if os.fork() == 0:
            if session:
                os.setsid()
                if os.fork():
                    os._exit(0)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
            os._exit(0)


def die() -> Reply:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def lie() -> Reply:
    return Reply(body=b"a caption, or is it?", media_type="text/html")


BEHAVIOURS: dict[str, Callable[[], Reply]] = {
    "dies": die,
    "hangs": lambda: Reply(delivery="silent"),
    "breaks off": lambda: Reply(delivery="reset"),
    "lies": lie,
    "refuses": lambda: error_reply(404, "which model?"),
    "fails": lambda: error_reply(500, "CUDA error"),
    "is closed": lambda: os._exit(0),
}
"""What a server does at each request after the first few, by the name of the fault."""
BEHAVIOURS |= {
    "prints": BEHAVIOURS["dies"],
    "ignores SIGTERM": BEHAVIOURS["hangs"],
    "hangs and dies": BEHAVIOURS["hangs"],
}
FAULTS = ("exits", *BEHAVIOURS)
"""All faults. Each server leaves children besides."""


def main() -> None:
    port, key, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    with (folder / "starts").open("ab", buffering=0) as file:
        file.write(b".")
    faults = dict(enumerate((folder / "faults").read_text().splitlines(), start=1))
    fault = faults.get(starts(folder), "")
    good_requests = 0 if fault.endswith(AT_ONCE) else GOOD_REQUESTS
    fault = fault.removesuffix(AT_ONCE)
    deadly = folder / DEADLY
    deadly_crc = int(deadly.read_text()) if deadly.exists() else None
    leave_children()
    if fault == "exits":
        sys.exit("no such checkpoint")
    if fault == "prints":
        for _ in range(200):
            print("loading" * 20_000, end="\r")
    if fault == "ignores SIGTERM":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def behave(request: CaptionRequest) -> Reply | None:
        if request.key != f"Bearer {key}":
            return error_reply(401, "who are you?")
        if request.crc == deadly_crc:
            os._exit(1)
        if fault == "hangs and dies" and request.number == GOOD_REQUESTS:
            threading.Timer(0.1, os._exit, [1]).start()
        if fault in BEHAVIOURS and request.number > good_requests:
            return BEHAVIOURS[fault]()
        return None

    server = FakeServer(behave, port)
    server.delay_seconds = float((folder / "delay").read_text())
    print(f"listening on {port} with the key {key}", flush=True)
    server.serve_forever()
