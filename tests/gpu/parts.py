"""The parts of `python -m tests.gpu`, in the order in which they run."""

from __future__ import annotations

from typing import NamedTuple


class Part(NamedTuple):
    """One process, which prints its results."""

    name: str
    command: tuple[str, ...]
    """What follows `python -m`."""
    seconds: float
    """The most that it may take on a GPU. Its results until then count."""


FAMILIES = ("llava-1.5", "minigpt-4", "qwen-vl", "otter")
PARTS = (
    Part("devices", ("tests.gpu.devices",), 15),
    Part("golden", ("tests.gpu.golden",), 45),
    Part("decoding", ("tests.gpu.decoding",), 45),
    Part("precision", ("tests.gpu.precision",), 45),
    Part("memory", ("tests.gpu.memory",), 40),
    Part("workers", ("tests.gpu.workers",), 60),
    *(Part(f"engine {name}", ("tests.gpu.engine", name), 75) for name in FAMILIES),
    Part("qwen2.5-vl", ("tests.gpu.qwen2_5_vl",), 75),
)
"""Correctness first: it takes little time, and speed means nothing without it."""
