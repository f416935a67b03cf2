"""The simulation itself: it replays to the letter, shrinks, and throws what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest

from engine.protocol.caption_row import CaptionRow, Row
from engine.protocol.messages import Rows
from engine.supervisor.attempt import Attempt
from tests.sim.coverage import Coverage
from tests.sim.faults import RATES, Faults
from tests.sim.shrink import shrink
from tests.sim.simulation import Result, simulate
from tests.sim.tally import Tally
from tests.sim.worker import HeldRecords

SEEDS = range(50, 53)
"""Seeds of schedules in which enough happens."""


def run_module(hash_seed: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m tests.sim` in a process of its own, which would hash texts by that seed."""
    return subprocess.run(
        [sys.executable, "-m", "tests.sim", *options],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def simulated(seed: int) -> Result:
    """Return what a first simulation of this seed comes to."""
    return simulate(seed)


def test_a_seed_replays_to_the_letter() -> None:
    for seed in SEEDS:
        first = simulated(seed)
        assert first == simulate(seed, coverage=Coverage())  # who watches changes nothing
        assert len(first.happened) > 0


def test_a_seed_replays_in_another_process_whatever_its_hashes_are() -> None:
    seed = str(max(SEEDS, key=lambda number: len(simulated(number).happened)))
    replays = [run_module(hash_seed, "--replay", seed) for hash_seed in ("1", "random")]
    assert replays[0].stdout == replays[1].stdout
    assert [replay.returncode for replay in replays] == [0, 0]
    here = simulated(int(seed))
    assert replays[0].stdout.startswith("\n".join(here.log))


def test_rows_of_an_attempt_before_do_not_excuse_the_record_that_is_alone_now() -> None:
    held = HeldRecords(task=1, attempt=2, alone=8)
    row = CaptionRow(8, "x", 1, "stop")
    for attempt, alone in ((1, 8), (2, None)):
        held.on_rows(Rows(task=1, attempt=attempt, rows=(row,)))
        assert held.alone == alone


def test_a_schedule_with_none_of_its_faults_is_calm() -> None:
    assert simulate(50, only=set()).happened == []


def keep_rows_of_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a fault into the product: rows count for records that were not sent."""
    accept = Attempt.accept

    def accept_all(attempt: Attempt, rows: list[Row]) -> object:
        indexes = {row.i for row in rows if 0 <= row.i < attempt.log.count}
        for i in indexes - attempt.outstanding:
            if attempt.log.missing(i):
                attempt.outstanding.add(i)
                attempt.originals.setdefault(i, ("", ""))
        return accept(attempt, rows)

    monkeypatch.setattr(Attempt, "accept", accept_all)


@cache
def failing_schedule() -> tuple[int, Result]:
    """Return the first schedule in which the planted fault shows."""
    for seed in range(1, 200):
        result = simulate(seed)
        if result.violations and len(result.happened) > 3:
            return seed, result
    raise AssertionError("nothing was violated")


def test_a_failing_schedule_is_shrunk_to_the_faults_that_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_rows_of_anybody(monkeypatch)
    seed, result = failing_schedule()
    fewest, shrunk = shrink(seed, result.happened)
    assert 0 < len(fewest) < len(result.happened)
    assert shrunk.violations
    assert simulate(seed, set(fewest)).violations == shrunk.violations
    assert "row that was not sent" in {kind for kind, _ in fewest}


def test_what_is_drawn_of_one_kind_depends_on_no_other() -> None:
    kinds = list(Faults(7).rates)[:2]
    alone, mixed = Faults(7), Faults(7)
    drawn = [alone.happens(kinds[0]) for _ in range(50)]
    both = [(mixed.happens(kinds[0]), mixed.happens(kinds[1]))[0] for _ in range(50)]
    assert drawn == both


def test_nothing_is_drawn_while_the_simulation_only_looks() -> None:
    looked, not_looked = Faults(7), Faults(7)
    kind = next(iter(looked.rates))
    with looked.none():
        assert not any(looked.happens(kind) for _ in range(100))
    assert [looked.happens(kind) for _ in range(50)] == [
        not_looked.happens(kind) for _ in range(50)
    ]


def test_there_are_enough_kinds_and_no_schedule_has_all_of_them() -> None:
    assert len(RATES) >= 40
    switched_on = Counter(len(Faults(seed).rates) for seed in range(200))
    assert min(switched_on) > 0 and max(switched_on) < len(RATES)


def test_the_module_reports_what_it_threw_in_its_last_line() -> None:
    done = run_module("0", "--faults", "150", "--seed", "50")
    assert done.returncode == 0, done.stdout[-2_000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["faults"] >= 150 and summary["violations"] == 0
    assert {"kinds", "schedules", "cpu_seconds", "simulated_hours"} <= summary.keys()


def test_the_module_ends_with_code_1_and_the_seed_if_something_was_violated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.sim import __main__ as main

    keep_rows_of_anybody(monkeypatch)
    seed, _ = failing_schedule()
    monkeypatch.setattr(main, "shrink", lambda seed, faults: (faults, simulate(seed)))
    options = main.parse_arguments(["--seed", str(seed)])  # it stops at the first violation
    assert main.storm(options) == 1
    printed = capsys.readouterr().out
    assert f"python -m tests.sim --replay {seed}" in printed
    assert json.loads(printed.splitlines()[-1])["violations"] == 1
    assert main.replay(seed) == 1
    assert "VIOLATED" in capsys.readouterr().out


def test_a_tally_counts_rows_and_pairs_of_rows() -> None:
    tally = Tally(50)
    for _ in range(6):
        assert tally.run().violations == []
    assert sum(tally.coverage.taken.values()) > sum(tally.coverage.pairs.values()) > 0
    assert tally.summary(1.0)["schedules"] == 6
