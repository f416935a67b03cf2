"""Judging the records that were with a server when it stopped answering.

One of them may have ended the server, so all of them are suspects. They are sent one at a time,
after everything else of their shard, and while nothing else is with the server. A record during
which the server goes away again and again is failed as poison: it was alone there each time, just
after the server had captioned the probe image, a picture of our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from shlex import quote

from engine.protocol.caption_row import ErrorRow
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.supervisor.attempt import Attempt
from engine.supervisor.poison import PoisonDetector
from engine.supervisor.task_runner import TaskRunner
from engine.supervisor.worker_state import WorkerState
from engine.utils.plurals import plural

NAMED_RECORDS = 5
"""Indexes of suspects that an event names, at most, so that it fits on a line or two."""


@dataclass(frozen=True, slots=True)
class OutageVerdict:
    """What follows for the records that were with a server when it went away."""

    times: int = 0
    """Times that the server has gone away while the record that was alone was with it, this one
    included; 0 if no record was alone."""
    poison: bool = False
    """True if that record is to be failed."""


def judge_outage(lost: Set[int], alone: int | None, earlier: int, policy: Policy) -> OutageVerdict:
    """Return what follows from an outage.

    `lost` are the records that the server had, `alone` the suspect that was to be alone with it, or
    None, and `earlier` the outages with that one alone before.
    """
    if alone is None or alone not in lost:
        return OutageVerdict()
    return OutageVerdict(earlier + 1, poison=earlier + 1 >= policy.server_deaths)


class ServerOutages:
    """Names suspects after an outage, and fails the record that is guilty.

    That the model waits and the task goes back to pending is done elsewhere: in `ModelBackoff` and
    `TaskRunner.end_attempt`.
    """

    def __init__(
        self,
        project_state: ProjectState,
        task_runner: TaskRunner,
        suspects: PoisonDetector,
        policy: Policy,
    ) -> None:
        self.project_state = project_state
        self.task_runner = task_runner
        self.suspects = suspects
        """Suspects of ending a server; those of ending a worker are kept apart."""
        self.policy = policy

    def on_unavailable(self, worker: WorkerState, records: Iterable[int]) -> None:
        """Suspect the records that were with the server, or judge the one that was alone.

        `records` are indexes in the shard of the worker's attempt.
        """
        attempt = worker.attempt
        if attempt is None:
            return
        task_id = attempt.task.id
        alone = attempt.isolated_record if attempt.isolating else None
        earlier = 0 if alone is None else self.suspects.evidence[task_id, alone]
        lost = attempt.outstanding.intersection(records)
        verdict = judge_outage(lost, alone, earlier, self.policy)
        if lost:
            self.suspects.add_suspects(task_id, lost)
        if verdict.times and alone is not None:
            self.suspects.add_evidence(task_id, alone, 1)
            self.on_lost_alone(worker, attempt, alone, verdict)
        elif lost:
            self.warn_of_suspects(worker, attempt, sorted(lost))

    def warn_of_suspects(self, worker: WorkerState, attempt: Attempt, lost: list[int]) -> None:
        """Log that these records are suspected."""
        named = ", ".join(map(str, lost[:NAMED_RECORDS]))
        named += ", ..." if lost[NAMED_RECORDS:] else ""
        self.warn(
            worker,
            attempt,
            f"the server stopped answering while it was asked about {plural(len(lost), 'record')}:"
            f" they come last, one at a time, to find out whether one is the cause ({named})",
        )

    def on_lost_alone(
        self, worker: WorkerState, attempt: Attempt, i: int, verdict: OutageVerdict
    ) -> None:
        """Fail the record that was alone with the server, or say what may come."""
        image, times = attempt.originals[i][0], verdict.times
        if not verdict.poison:
            self.warn(
                worker,
                attempt,
                f"the server stopped answering while it was asked about record {i} alone ({image}),"
                f" {times} of {self.policy.server_deaths} times before the record is failed; to"
                f" exclude it now: {self.exclude_command(attempt, i)}",
            )
            return
        detail = (
            f"the server stopped answering {times} times while it was asked about this record"
            " alone, and captioned another picture each time before"
        )
        try:
            attempt.accept([ErrorRow(i, "poison", detail)])
        except OSError as error:
            self.task_runner.on_write_error(error)
            return
        text, shard = f"record {i} ({image}): {detail}", attempt.shard.number
        self.project_state.event("fail", text, worker.device, attempt.model.name, shard)

    def warn(self, worker: WorkerState, attempt: Attempt, text: str) -> None:
        """Log an event about the attempt's model and shard."""
        self.project_state.event(
            "warn", text, worker.device, attempt.model.name, attempt.shard.number
        )

    def exclude_command(self, attempt: Attempt, i: int) -> str:
        """Return the shell command that excludes the record, so that it is never sent again."""
        folder, model = quote(str(self.project_state.project.folder)), quote(attempt.model.name)
        where = f"--shard {attempt.shard.number} --record {i} --model {model}"
        return f"mllmaug-tui exclude {folder} {where}"
