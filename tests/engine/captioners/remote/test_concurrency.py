"""The request window finds how many requests a server answers best at a time."""

from __future__ import annotations

from collections.abc import Callable

from engine.captioners.remote.concurrency import RequestWindow


def answer(window: RequestWindow, seconds_of: Callable[[int], float], count: int) -> None:
    """Answer as a server does that takes `seconds_of(requests in flight)` for each answer."""
    for _ in range(count):
        window.on_answer(sent_at=0.0, now=seconds_of(window.limit))


def test_more_requests_while_they_pay() -> None:
    window = RequestWindow(64)
    answer(window, lambda _: 1.0, 200)
    assert window.limit == 64


def test_a_server_that_answers_one_after_the_other_gets_few() -> None:
    window = RequestWindow(64)
    answer(window, lambda in_flight: float(in_flight), 5000)
    assert window.limit < 16


def test_as_many_as_a_server_takes_at_once() -> None:
    window = RequestWindow(256)
    answer(window, lambda in_flight: max(1.0, in_flight / 16), 20_000)
    assert 16 <= window.limit <= 48


def test_congestion_halves_once_for_all_that_were_in_flight() -> None:
    window = RequestWindow(64)
    answer(window, lambda _: 1.0, 200)
    for _ in range(40):
        window.on_congestion(sent_at=5.0, now=6.0)
    assert window.limit == 32
    window.on_congestion(sent_at=7.0, now=8.0)
    assert window.limit == 16
    answer(window, lambda _: 1.0, 16)
    assert window.limit == 17
    for number in range(20):
        window.on_congestion(sent_at=10.0 + number, now=10.5 + number)
    assert window.limit == 1
