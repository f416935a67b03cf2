"""Weights that do not fit into memory are refused before the system kills the process for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.base import CheckpointError
from engine.captioners.checkpoints import assembly
from engine.captioners.model_families import Family
from engine.hardware.memory import HostMemory
from tests.support.cli import cli


def load(family: Family, checkpoints: dict[str, Path], dtype: str) -> Any:
    settings = replace(family.presets["paper"], dtype=dtype)
    return family.load(str(checkpoints[family.name]), settings, "cpu")


def set_memory(monkeypatch: pytest.MonkeyPatch, free: int, total: int) -> None:
    """Have this machine have so many bytes of memory."""
    monkeypatch.setattr(assembly, "host_memory", lambda: HostMemory(free, total))


def test_beyond_the_machine(
    family: Family, checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_memory(monkeypatch, 1000, 2000)
    with pytest.raises(CheckpointError, match="dtype=bfloat16 halves that"):
        load(family, checkpoints, "float32")
    with pytest.raises(
        CheckpointError, match=r"in bfloat16 and .*: take a GPU or a larger machine"
    ):
        load(family, checkpoints, "bfloat16")


def test_beside_what_runs_now(
    family: Family, checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor tries again after a while."""
    set_memory(monkeypatch, 1000, 2**40)
    with pytest.raises(MemoryError, match=r"has 0\.0 GiB free"):
        load(family, checkpoints, "bfloat16")


def test_half_of_it_fits(
    family: Family, checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = load(family, checkpoints, "bfloat16").loaded.bytes
    set_memory(monkeypatch, needed, needed)
    load(family, checkpoints, "bfloat16")
    with pytest.raises(CheckpointError):
        load(family, checkpoints, "float32")


@pytest.mark.parametrize("total", [2000, 2**40])
def test_the_doctor_says_so(
    family: Family, checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch, total: int
) -> None:
    set_memory(monkeypatch, 1000, total)
    done = cli("doctor", "--model", f"{family.name}={checkpoints[family.name]}")
    assert done.returncode == 1
    assert "GiB of memory in float32 and this machine has" in done.stdout
    assert "loaded in" not in done.stdout
