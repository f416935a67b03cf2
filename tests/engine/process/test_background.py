"""Calls in a process of their own: results, errors, progress, and how they end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest

from engine.process.background import (
    NICENESS,
    BackgroundCall,
    BackgroundFailed,
    Cancelled,
)
from engine.utils.errors import BadInput
from tests.support.waiting import wait_for


def look_around(greeting: str, progress: Callable[[int, int], None]) -> tuple[str, int]:
    """Return a greeting and the niceness of this process; write to what may be a terminal."""
    progress(1, 2)
    print("not for the screen", flush=True)
    print("nor this", file=sys.stderr, flush=True)
    progress(2, 2)
    return greeting, os.nice(0)


def refuse(progress: Callable[[int, int], None]) -> None:
    raise BadInput("no model 'x'")


def break_down(progress: Callable[[int, int], None]) -> None:
    raise KeyError("x")


def die(progress: Callable[[int, int], None]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def work_for_ever(progress: Callable[[int, int], None]) -> None:
    progress(0, 1)
    time.sleep(600)


def ignore(done: int, total: int) -> None: ...


def test_a_result_comes_with_progress_from_a_nice_process(
    capfd: pytest.CaptureFixture[str],
) -> None:
    told: list[tuple[int, int]] = []
    call: BackgroundCall[tuple[str, int]] = BackgroundCall(look_around, "hello")
    greeting, niceness = call.run(lambda *numbers: told.append(numbers))
    assert (greeting, niceness) == ("hello", min(19, os.nice(0) + NICENESS))
    assert told == [(1, 2), (2, 2)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (refuse, BadInput, "no model 'x'"),
        (break_down, BackgroundFailed, "KeyError: 'x'"),
        (die, BackgroundFailed, "its process ended with code -9"),
    ],
)
def test_errors_are_told_apart(
    function: Callable[..., None], error: type[Exception], message: str
) -> None:
    call: BackgroundCall[None] = BackgroundCall(function)
    with pytest.raises(error) as caught:
        call.run(ignore)
    assert str(caught.value) == message


def test_a_cancelled_call_ends_at_once_and_leaves_no_process() -> None:
    call: BackgroundCall[None] = BackgroundCall(work_for_ever)
    ended: list[type[Exception]] = []

    def run() -> None:
        try:
            call.run(lambda done, total: started.set())
        except Cancelled as error:
            ended.append(type(error))

    started = threading.Event()
    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(60)
    call.cancel()
    thread.join(60)
    assert ended == [Cancelled]
    wait_for(lambda: not call.process.is_alive())


def test_a_call_that_is_cancelled_before_it_begins_starts_no_process() -> None:
    call: BackgroundCall[None] = BackgroundCall(work_for_ever)
    call.cancel()
    with pytest.raises(Cancelled):
        call.run(ignore)
    assert call.process.pid is None
