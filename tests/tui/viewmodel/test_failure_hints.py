"""Which advice a failure gets."""

from __future__ import annotations

from typing import Any, Literal, get_args

import pytest

from db.failures import Cause
from db.rows import TaskErrorCause
from tui.viewmodel import failure_hints
from tui.viewmodel.failure_hints import UNKNOWN_RECORD, UNKNOWN_SHARD, hint_for


def cause(scope: Literal["record", "shard"], kind: str, **values: Any) -> Cause:
    """Return the cause of one failure."""
    return Cause(scope=scope, kind=kind, count=1, shards=1, models=("m",), failed_at=0.0, **values)


@pytest.mark.parametrize("error_cause", get_args(TaskErrorCause))
def test_a_failed_shard_gets_the_hint_of_its_cause(error_cause: TaskErrorCause) -> None:
    hint = hint_for(cause("shard", "whatever it says", error_cause=error_cause))
    assert hint == failure_hints.SHARD_HINTS.get(error_cause, UNKNOWN_SHARD)


@pytest.mark.parametrize(
    "words", ["out of memory", "killed by signal 9", "exit code 3", "was changed since", "missing"]
)
def test_the_words_of_an_error_decide_nothing(words: str) -> None:
    assert hint_for(cause("shard", words)) == UNKNOWN_SHARD
    assert hint_for(cause("shard", words, error_cause="hung")).short == "worker hung"


def test_a_worker_killed_from_outside_is_not_a_batch_too_large() -> None:
    """The message of SIGKILL asks whether the kernel was out of memory."""
    text = "killed by signal 9 (the kernel, out of memory?)"
    assert hint_for(cause("shard", text, error_cause="killed")).short == "host memory"


def test_a_failed_record_gets_the_hint_of_its_kind() -> None:
    assert hint_for(cause("record", "corrupt")).can_retry is False
    assert hint_for(cause("record", "of a later version")) == UNKNOWN_RECORD
