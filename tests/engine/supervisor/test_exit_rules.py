"""What follows from the end of a worker, as a function of what is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.state.policy import Policy
from engine.supervisor.exit_rules import AttemptFacts, ExitFacts, ExitVerdict, judge_exit
from engine.supervisor.load_rules import LoadFailureFacts, LoadVerdict, judge_load_failure
from engine.supervisor.server_outages import OutageVerdict, judge_outage

POLICY = Policy()
AT_WORK = AttemptFacts(rows=0)
ALONE = AttemptFacts(rows=0, in_progress=frozenset({3}), isolated=3, proven=True)
CRASH = ExitFacts(code=-11, attempt=AT_WORK)


def alone(code: int = -11, **values: object) -> ExitFacts:
    """Return the facts of a worker that ended while record 3 was alone with it."""
    attempt = replace(ALONE, **values)  # type: ignore[arg-type]
    return ExitFacts(code=code, attempt=attempt)


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        # Without an attempt
        (ExitFacts(code=1), ExitVerdict(device_death=True)),
        (ExitFacts(code=1, loading=True), ExitVerdict(load_failure=True)),
        (ExitFacts(code=-9, loading=True), ExitVerdict(killed_load=True)),
        (ExitFacts(code=-15, loading=True), ExitVerdict(killed_load=True)),
        (ExitFacts(code=3, load_failed=True), ExitVerdict()),
        (ExitFacts(code=-9, ended_by_us=True), ExitVerdict(ending="worker_stopped")),
        (
            ExitFacts(code=-15, ended_by_us=True, at_fault=True, loading=True),
            ExitVerdict(killed_load=True),
        ),
        (ExitFacts(machine_lost=True), ExitVerdict(ending="worker_lost", device_death=True)),
        (ExitFacts(machine_lost=True, ended_by_us=True), ExitVerdict(ending="worker_stopped")),
        # With an attempt
        (replace(CRASH, machine_lost=True), ExitVerdict(ending="worker_lost", device_death=True)),
        (CRASH, ExitVerdict(ending="worker_struck", device_death=True)),
        (
            replace(CRASH, attempt=replace(AT_WORK, in_progress=frozenset({1}))),
            ExitVerdict(
                ending="worker_struck", at_once=True, suspects=frozenset({1}), device_death=True
            ),
        ),
        (
            replace(CRASH, attempt=replace(AT_WORK, has_suspects=True)),
            ExitVerdict(ending="worker_struck", at_once=True, device_death=True),
        ),
        (
            replace(CRASH, attempt=replace(AT_WORK, on_trial=True)),
            ExitVerdict(device_death=True),
        ),
        (replace(CRASH, stuck_in_read=True), ExitVerdict(device_death=True)),
        (replace(CRASH, code=-9), ExitVerdict(counts_kill=True, device_death=True)),
        (
            replace(CRASH, code=-9, attempt=replace(AT_WORK, killed_before=True)),
            ExitVerdict(ending="worker_struck", device_death=True),
        ),
        (
            replace(CRASH, code=-9, at_fault=True),  # it said that it failed, then was killed
            ExitVerdict(ending="worker_struck", device_death=True),
        ),
        (
            replace(CRASH, code=-9, ended_by_us=True, at_fault=True),  # it hung
            ExitVerdict(ending="worker_struck", device_death=True),
        ),
        # With a suspect alone
        (alone(), ExitVerdict(suspects=frozenset({3}), evidence=2, device_death=True)),
        (alone(evidence=2), ExitVerdict(suspects=frozenset({3}), evidence=2, poison=3)),
        (
            alone(evidence=2, can_fail_records=False),
            ExitVerdict(suspects=frozenset({3}), evidence=2, device_death=True),
        ),
        (
            alone(code=-9, evidence=2),
            ExitVerdict(suspects=frozenset({3}), evidence=1, counts_kill=True, device_death=True),
        ),
        (
            alone(code=-15, evidence=3, killed_before=True),
            ExitVerdict(suspects=frozenset({3}), evidence=1, poison=3),
        ),
        (
            alone(evidence=9, proven=False),  # device or model are as likely to be the cause
            ExitVerdict(
                ending="worker_struck",
                at_once=True,
                suspects=frozenset({3}),
                evidence=2,
                device_death=True,
            ),
        ),
        (
            alone(proven=False, on_trial=True),  # other devices caption: the device is suspected
            ExitVerdict(suspects=frozenset({3}), device_death=True),
        ),
        (
            replace(alone(proven=False, on_trial=True), stuck_in_read=True),
            ExitVerdict(suspects=frozenset({3}), evidence=1, device_death=True),
        ),
        (
            replace(alone(evidence=3, proven=False), stuck_in_read=True),
            ExitVerdict(suspects=frozenset({3}), evidence=1, poison=3),
        ),
    ],
)
def test_exit(facts: ExitFacts, verdict: ExitVerdict) -> None:
    assert judge_exit(facts, POLICY) == verdict


NOTHING_KNOWN = LoadFailureFacts(
    on_trial=False,
    other_machine_may_load=False,
    machine_has_other_work=False,
    loaded_elsewhere=False,
    failures=0,
)


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (NOTHING_KNOWN, "count"),
        (replace(NOTHING_KNOWN, failures=1), "count"),
        (replace(NOTHING_KNOWN, failures=2), "block"),
        (replace(NOTHING_KNOWN, failures=2, loaded_elsewhere=True), "delay_on_device"),
        (replace(NOTHING_KNOWN, failures=2, other_machine_may_load=True), "delay_and_rest_machine"),
        (
            replace(NOTHING_KNOWN, other_machine_may_load=True, machine_has_other_work=True),
            "delay_on_machine",
        ),
        (
            replace(NOTHING_KNOWN, on_trial=True, other_machine_may_load=True, failures=9),
            "device_death",
        ),
    ],
)
def test_load_failure(facts: LoadFailureFacts, verdict: LoadVerdict) -> None:
    assert judge_load_failure(facts, POLICY) == verdict


@pytest.mark.parametrize(
    ("lost", "alone", "earlier", "verdict"),
    [
        (set(), None, 0, OutageVerdict()),
        ({1, 2}, None, 0, OutageVerdict()),
        ({1}, 2, 0, OutageVerdict()),
        ({2}, 2, 0, OutageVerdict(1)),
        ({2}, 2, 1, OutageVerdict(2)),
        ({1, 2}, 2, 2, OutageVerdict(3, poison=True)),
    ],
)
def test_outage(lost: set[int], alone: int | None, earlier: int, verdict: OutageVerdict) -> None:
    assert judge_outage(lost, alone, earlier, POLICY) == verdict
