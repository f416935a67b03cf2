"""Judging the records that were with a server when it stopped answering.

One of them may have ended the server, so all of them are suspects. They are sent one at a time,
after everything else of their shard, and while nothing else is with the server. A record during
which the server goes away again and again is failed as poison: it was alone there each time, just
after the server had captioned the probe image, a picture of our own.
"""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote

from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.supervisor.attempt import Attempt
from engine.supervisor.poison import PoisonDetector
from engine.supervisor.task_runner import TaskRunner
from engine.supervisor.worker_state import WorkerState
from engine.utils.plurals import plural

NAMED_RECORDS = 5
"""Indexes of suspects that an event names, at most, so that it fits on a line or two."""


class ServerOutages:
    """Names suspects after an outage, and fails the record that is guilty.

    That the model waits and the task goes back to pending is done elsewhere: in `ModelBackoff` and
    `TaskRunner.release_task`.
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
        lost = sorted(attempt.outstanding.intersection(records))
        if not lost:
            return
        self.suspects.add_suspects(attempt.task.id, lost)
        if attempt.isolating and attempt.isolated_record in lost:
            self.judge_record(worker, attempt, lost[0])
        else:
            named = ", ".join(map(str, lost[:NAMED_RECORDS])) + (
                ", ..." if lost[NAMED_RECORDS:] else ""
            )
            self.warn(
                worker,
                attempt,
                f"the server went away while it was asked about {plural(len(lost), 'record')},"
                f" which come last, one at a time, to find out if it was one of them ({named})",
            )

    def judge_record(self, worker: WorkerState, attempt: Attempt, i: int) -> None:
        """Count an outage with this record alone, and fail the record if it is guilty."""
        guilty = self.suspects.count_death_alone(attempt.task.id, i, killed=False)
        times, most = self.suspects.crashes_alone(attempt.task.id, i), self.policy.server_deaths
        image = attempt.originals[i][0]
        if not guilty:
            self.warn(
                worker,
                attempt,
                f"the server went away while it was asked about record {i} alone ({image}),"
                f" {times} of {most} times before that is failed; to give it up now:"
                f" {self.exclude_command(attempt, i)}",
            )
            return
        detail = (
            f"the server went away {times} times while it was asked about this record alone, and"
            " captioned another picture each time before"
        )
        try:
            attempt.accept([{"i": i, "error": "poison", "detail": detail}])
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
