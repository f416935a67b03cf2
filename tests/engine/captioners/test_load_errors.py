"""What becomes of an error by which a family's load ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from engine.captioners.errors import CheckpointError, first_line
from engine.captioners.model_families import FAMILIES, Family
from engine.captioners.settings import Settings


class PanicException(BaseException):
    """Stands for the class of this name by which Rust code ends."""


def load(monkeypatch: pytest.MonkeyPatch, error: BaseException, device: str = "cpu") -> None:
    """Load a model whose family raises this error."""

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("engine.captioners.families.dry_run.load", fail)
    FAMILIES["dry-run"].load(None, Settings(), device)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("hidden_size"),
        TypeError("int, not str"),
        ZeroDivisionError("division by zero"),
        RecursionError("too deep"),
        RuntimeError("negative dimension -5"),
        EOFError("EOF when reading a line"),
        PanicException("index out of bounds"),
    ],
)
def test_what_files_are_to_blame_for_is_the_checkpoints_error(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    with pytest.raises(CheckpointError, match=f"cannot be loaded: {type(error).__name__}: "):
        load(monkeypatch, error)


@pytest.mark.parametrize(
    ("error", "device"),
    [
        (CheckpointError("its own words"), "cpu"),
        (OSError(5, "Input/output error"), "cpu"),
        (ImportError("no module"), "cpu"),
        (MemoryError("does not fit"), "cpu"),
        (torch.OutOfMemoryError("does not fit"), "cpu"),
        (RuntimeError("CUDA error: no device"), "cuda:0"),
        (KeyboardInterrupt(), "cpu"),
        (SystemExit(3), "cpu"),
    ],
)
def test_what_the_machine_is_to_blame_for_stays_what_it_is(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, device: str
) -> None:
    with pytest.raises(type(error)) as raised:
        load(monkeypatch, error, device)
    assert raised.value is error


def test_a_pipe_is_found_before_the_family_looks(
    family: Family, damaged_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(f"{family.module}.load", fail)
    os.mkfifo(damaged_checkpoint / "tokenizer_config.json.new")
    with pytest.raises(CheckpointError, match="is a pipe"):
        family.load(str(damaged_checkpoint), family.presets["paper"], "cpu")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one line", "one line"),
        ("one\ntwo", "one"),
        ("\n announced:\n\n  here it is\nmore", "announced: here it is"),
        ("x" * 300, "x" * 200),
        ("", "ValueError"),
        (" \n", "ValueError"),
    ],
)
def test_the_first_line_says_something(text: str, line: str) -> None:
    assert first_line(ValueError(text)) == line
