"""A server that went away: which of the records that it was asked about may have been its end.

They are suspects and asked about one at a time, when all else of their shard is done and nothing
else is with the server. One that the server keeps going away from is failed: it alone was there
each time, just after the server had captioned a picture of our own.
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

NAMED = 5


class ServerOutages:
    def __init__(
        self,
        project_state: ProjectState,
        running: TaskRunner,
        suspects: PoisonDetector,
        policy: Policy,
    ) -> None:
        self.project_state = project_state
        self.running = running
        self.suspects = suspects
        self.policy = policy

    def note(self, worker: WorkerState, records: Iterable[int]) -> None:
        """Of the running attempt; these were with the server when it stopped answering."""
        attempt = worker.attempt
        if attempt is None:
            return
        lost = sorted(attempt.outstanding.intersection(records))
        if not lost:
            return
        self.suspects.name(attempt.task.id, lost)
        if attempt.isolating and attempt.isolated_record in lost:
            self.judge(worker, attempt, lost[0])
        else:
            named = ", ".join(map(str, lost[:NAMED])) + (", ..." if lost[NAMED:] else "")
            self.say(
                worker,
                attempt,
                f"the server went away while it was asked about {plural(len(lost), 'record')},"
                f" which come last, one at a time, to find out if it was one of them ({named})",
            )

    def judge(self, worker: WorkerState, attempt: Attempt, i: int) -> None:
        guilty = self.suspects.died_alone(attempt.task.id, i, killed=False)
        times, most = self.suspects.times_alone(attempt.task.id, i), self.policy.server_deaths
        image = attempt.originals[i][0]
        if not guilty:
            self.say(
                worker,
                attempt,
                f"the server went away while it was asked about record {i} alone ({image}),"
                f" {times} of {most} times before that is failed; to give it up now:"
                f" {self.exclusion(attempt, i)}",
            )
            return
        detail = (
            f"the server went away {times} times while it was asked about this record alone, and"
            " captioned another picture each time before"
        )
        try:
            attempt.accept([{"i": i, "error": "poison", "detail": detail}])
        except OSError as error:
            self.running.cannot_write(error)
            return
        text, shard = f"record {i} ({image}): {detail}", attempt.shard.number
        self.project_state.event("fail", text, worker.device, attempt.model.name, shard)

    def say(self, worker: WorkerState, attempt: Attempt, text: str) -> None:
        self.project_state.event(
            "warn", text, worker.device, attempt.model.name, attempt.shard.number
        )

    def exclusion(self, attempt: Attempt, i: int) -> str:
        """The command that gives the record up."""
        folder, model = quote(str(self.project_state.project.folder)), quote(attempt.model.name)
        where = f"--shard {attempt.shard.number} --record {i} --model {model}"
        return f"mllmaug-tui exclude {folder} {where}"
