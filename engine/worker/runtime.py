"""A worker's own process: its torch device, its share of the cores, its memory, its pipes."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from typing import BinaryIO

from engine.hardware.devices import visible_gpus
from engine.utils.cpu_count import usable_cores


class FatalWorkerError(Exception):
    """Raised when the worker's process must end; the reason has been sent already."""


def torch_device(kind: str) -> str:
    """Return torch's name of the device for its kind (see `engine.hardware.devices`).

    A GPU that Ray counts (`gpu`) may be one in name only; then it is torch's `cpu`.
    """
    if kind != "gpu":
        return kind
    device = "cuda" if visible_gpus() else "cpu"
    sys.stderr.write(f"the GPU that Ray gave is torch's {device}\n")
    return device


def core_share() -> int:
    """Return the number of cores that the launcher gave to this worker; else all usable ones."""
    return int(os.environ.get("OMP_NUM_THREADS", 0)) or usable_cores()


def is_sticky_error(error: BaseException) -> bool:
    """Return True for a CUDA error after which every further call in this process fails."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, getattr(torch, "AcceleratorError", ()))


def free_memory() -> None:
    """Free what a load, the previous model or a batch that did not fit left behind."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def describe_error(error: BaseException) -> str:
    """Return the error's type and message, at most 2,000 characters, for a message."""
    return f"{type(error).__name__}: {error}"[:2000]


def log_cause(error: BaseException) -> None:
    """Write the error that another one was made from, with its place, into the worker's log."""
    if error.__cause__ is not None:
        traceback.print_exception(error.__cause__)


def claim_stdin() -> BinaryIO:
    """Return the stream of the supervisor's messages and make stdin empty.

    A library that asks a question then gets no answer at once, and takes no message away.
    """
    stream = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return stream


def claim_stdout() -> BinaryIO:
    """Return the stream of the protocol and point stdout to stderr, the worker's log.

    What a library prints then ends in the log and not among the messages.
    """
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream
