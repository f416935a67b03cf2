"""Another engine on the same images and weights, run as a script in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.bench.peers.protocol import LOADED

PEERS = ("vllm", "transformers", "ray")
"""The engines, each of which has a script `NAME_peer.py` in `peers`."""
SCRIPTS = Path(__file__).parent / "peers"


class PeerMissing(NamedTuple):
    """A peer that cannot run here."""

    reason: str


class PeerRun(NamedTuple):
    """What a peer's run took, from the first image to the last caption."""

    seconds: float
    cpu: float
    """CPU seconds."""
    start_up: float
    """Seconds from the start of the process until the model was loaded."""
    texts: list[str]


def run_peer(
    name: str, python: str, request: dict[str, Any], folder: Path
) -> PeerRun | PeerMissing:
    """Caption the images of a request (see `peers.protocol`) with a peer.

    `python` is the interpreter of the peer's environment; `folder` is for the peer's log.
    """
    log = folder / f"{name}.log"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    began = time.perf_counter()
    try:
        with log.open("w") as errors:
            process = subprocess.Popen(
                [python, str(SCRIPTS / f"{name}_peer.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
    except OSError as error:
        return PeerMissing(f"{python}: {error.strerror}")
    with process:
        loaded = ask(process, json.dumps(request))
        ready, cpu = time.perf_counter(), tree_cpu_seconds(process.pid)
        if loaded != LOADED:
            return PeerMissing(log.read_text().strip().rpartition("\n")[2])
        texts = json.loads(ask(process, "go"))
        return PeerRun(
            seconds=time.perf_counter() - ready,
            cpu=tree_cpu_seconds(process.pid) - cpu,
            start_up=ready - began,
            texts=texts,
        )


def ask(process: subprocess.Popen[str], line: str) -> str:
    """Send a line; return the next one, which is empty if the process has ended."""
    assert process.stdin and process.stdout
    with suppress(BrokenPipeError):
        process.stdin.write(line + "\n")
        process.stdin.flush()
    return process.stdout.readline()


def tree_cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of its living children."""
    total = 0.0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for member in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                times = member.cpu_times()
                total += times.user + times.system
    return total
