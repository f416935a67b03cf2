"""What follows from the end of a worker: a function of what is known, without files or processes.

To blame can be the task, one record of it, the device, the model, or none of them (the node, a kill
from outside, the user). docs/architecture.md, "States of a task", has the table; `worker_exit`
gathers the facts and carries the verdict out.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from signal import SIGKILL, SIGTERM

from engine.state.policy import Policy
from engine.supervisor.endings import EndKind
from engine.supervisor.poison import CRASH_WEIGHT, KILL_WEIGHT

KILL_CODES = (-SIGKILL, -SIGTERM)
"""Exit codes of a process that SIGKILL or SIGTERM ended, usually from outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFacts:
    """The attempt that a worker had when it ended."""

    rows: int
    """Rows that the attempt had added."""
    in_progress: Set[int] = frozenset()
    """Indexes of the records that the worker was decoding or generating."""
    isolated: int | None = None
    """Index of the suspect that was alone with the worker, which had reported it, or None."""
    evidence: int = 0
    """Evidence against that suspect from earlier deaths (`PoisonDetector`)."""
    has_suspects: bool = False
    """True if the task has suspects from earlier deaths."""
    killed_before: bool = False
    """True if SIGKILL from outside has ended a worker of this task before, in this run."""
    proven: bool = False
    """True if the device has captioned with the model, a record or the probe image, since it last
    rested."""
    on_trial: bool = False
    """True if other ready devices have captioned with the model, and this one has not."""
    can_fail_records: bool = True
    """False if the row of a failed record could not be written: then none is failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitFacts:
    """The end of a worker's process, and what the worker was doing."""

    code: int = 0
    """The exit code; a negative one is the signal that ended the process."""
    machine_lost: bool = False
    """True if the worker's machine or its Ray actor is lost."""
    ended_by_us: bool = False
    """True if the supervisor told the worker to end, for whatever reason."""
    at_fault: bool = False
    """True if the worker hung, or said that it failed."""
    stuck_in_read: bool = False
    """True if the worker said that half of its decoding threads hang in a read."""
    loading: bool = False
    """True if the worker was loading a model."""
    load_failed: bool = False
    """True if the worker's last load failed, which has been counted."""
    attempt: AttemptFacts | None = None
    """None if the worker had no attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitVerdict:
    """What is to be done after the end of a worker."""

    ending: EndKind = "worker_died"
    """How the attempt ends, if there is one."""
    at_once: bool = False
    """True if the task does not wait after a strike: its suspects run alone first."""
    suspects: Set[int] = frozenset()
    """Records to be suspected from now on."""
    evidence: int = 0
    """Evidence to be added against the record that was alone."""
    poison: int | None = None
    """Index of the record to be failed as poison, or None."""
    counts_kill: bool = False
    """True if this was the one SIGKILL that a task is forgiven."""
    device_death: bool = False
    """True if the end counts as a death of the device."""
    load_failure: bool = False
    """True if the end counts as a failure to load the model."""
    killed_load: bool = False
    """True if the worker was killed, or hung, while it loaded (`load_rules` says what follows)."""


def judge_exit(facts: ExitFacts, policy: Policy) -> ExitVerdict:
    """Return what follows from the end of a worker: the first rule that holds."""
    if facts.machine_lost and not facts.ended_by_us:
        return ExitVerdict(ending="worker_lost", device_death=True)
    if facts.ended_by_us and not facts.at_fault:
        return ExitVerdict(ending="worker_stopped")
    if facts.attempt is not None:
        return judge_attempt(facts, facts.attempt, policy)
    if facts.load_failed:
        return ExitVerdict()
    if facts.loading:
        killed = facts.code in KILL_CODES
        return ExitVerdict(load_failure=not killed, killed_load=killed)
    return ExitVerdict(device_death=True)


def judge_attempt(facts: ExitFacts, attempt: AttemptFacts, policy: Policy) -> ExitVerdict:
    """Return what follows for a worker that ended while captioning, though it was not told to."""
    alone = attempt.isolated is not None
    # On trial, the device is the likelier cause: its deaths must not count where it is not.
    counts = alone and (facts.stuck_in_read or not attempt.on_trial)
    evidence = evidence_of(facts) if counts else 0
    if alone and attempt.can_fail_records and is_poison(facts, attempt, evidence, policy):
        return ExitVerdict(suspects=attempt.in_progress, evidence=evidence, poison=attempt.isolated)
    killed_first = facts.code == -SIGKILL and not facts.at_fault and not attempt.killed_before
    forgiven = (
        killed_first
        or attempt.on_trial
        or facts.stuck_in_read
        or (alone and attempt.proven)  # the record is under suspicion, and not the task
    )
    return ExitVerdict(
        ending="worker_died" if forgiven else "worker_struck",
        at_once=not forgiven and (attempt.has_suspects or bool(attempt.in_progress)),
        suspects=attempt.in_progress,
        evidence=evidence,
        counts_kill=killed_first,
        device_death=True,
    )


def evidence_of(facts: ExitFacts) -> int:
    """Return the evidence that this end is against the record that was alone."""
    from_outside = facts.stuck_in_read or (facts.code in KILL_CODES and not facts.ended_by_us)
    return KILL_WEIGHT if from_outside else CRASH_WEIGHT


def is_poison(facts: ExitFacts, attempt: AttemptFacts, evidence: int, policy: Policy) -> bool:
    """Return True if the record that was alone is to be failed."""
    # A read that does not end says nothing of device or model.
    if not (attempt.proven or facts.stuck_in_read):
        return False
    return attempt.evidence + evidence >= policy.poison_deaths * CRASH_WEIGHT
