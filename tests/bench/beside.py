"""Another engine on the same images and weights, run as a script in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.bench.bench_model import BenchModel
from tests.bench.engine_worker import run_worker
from tests.bench.measuring import measure, measure_with_steal
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


def run_beside(
    model: BenchModel, peer: str, python: str, rounds: int, images: list[str], folder: Path
) -> None:
    """Caption the images in turns with the worker and with a peer, and report both.

    A peer that cannot run here is skipped, and the reason is printed to stderr.
    """
    settings = model.settings
    request = {
        "checkpoint": model.checkpoint,
        "prompt": settings.prompt,
        "max_new_tokens": settings.max_new_tokens,
        "batch": settings.batch,
        "images": images,
    }
    for number in range(rounds):
        theirs, stolen = measure_with_steal(run_peer, peer, python, request, folder)
        if isinstance(theirs.result, PeerMissing):
            sys.stderr.write(f"{peer} is skipped: {theirs.result.reason}\n")
            return
        peer_run: PeerRun = theirs.result
        peer_rate = len(images) / peer_run.seconds
        model.report(peer, peer_rate)
        model.report(f"{peer}_stolen", stolen, "share of core time")
        model.report(f"{peer}_cpu", peer_run.cpu / len(images) * 1e3, "ms/image")
        model.report(f"{peer}_memory", theirs.megabytes, "MB")
        model.report(f"{peer}_start_up", peer_run.start_up, "s")
        model.report(f"{peer}_load", psutil.getloadavg()[0], "processes")
        ours = measure(run_worker, model, images, folder / f"round-{number}")
        worker_rate, texts = ours.result.rate, ours.result.texts
        model.report("worker", worker_rate.images, baseline=peer_rate)
        model.report("worker_memory", ours.megabytes, "MB", theirs.megabytes)
        model.report(f"worker_over_{peer}", worker_rate.images / peer_rate, "ratio")
        same = sum(map(str.__eq__, map(str.strip, texts), map(str.strip, peer_run.texts)))
        model.report("same_texts", same / len(images), "share")


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
        texts = ask(process, "go") if loaded == LOADED else ""
        seconds, cpu = time.perf_counter() - ready, tree_cpu_seconds(process.pid) - cpu
    if not texts:
        return PeerMissing(log.read_text().strip().rpartition("\n")[2])
    return PeerRun(seconds, cpu, start_up=ready - began, texts=json.loads(texts))


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
