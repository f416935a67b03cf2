"""The end of a worker: whose fault it was, and what becomes of its task."""

from __future__ import annotations

import time
from dataclasses import replace

from engine.launchers.base import Ended
from engine.state.policy import Policy
from engine.state.project_state import Books
from engine.supervisor.attempt import Attempt
from engine.supervisor.device_pool import Fleet
from engine.supervisor.model_loading import Loading
from engine.supervisor.poison import Suspects
from engine.supervisor.task_runner import Running
from engine.supervisor.worker_state import Member

KILLS = (-9, -15)
"""Exit codes of a process that was killed from outside."""


class Deaths:
    def __init__(
        self,
        books: Books,
        fleet: Fleet,
        loading: Loading,
        running: Running,
        suspects: Suspects,
        policy: Policy,
    ) -> None:
        self.books = books
        self.fleet = fleet
        self.loading = loading
        self.running = running
        self.suspects = suspects
        self.policy = policy
        self.killed: set[int] = set()
        """Tasks whose worker was killed from outside once: that is not held against them."""

    def bury(self, member: Member, ended: Ended) -> None:
        row = replace(member.row(time.monotonic()), ended=time.time(), task_id=None)
        self.books.workers[member.handle.id] = row
        reason = why(member, ended)
        attempt = member.attempt
        lost = ended.lost is not None and member.ending is None
        if lost:
            self.say(member, reason)
            self.fleet.count_death(member.device)
        if lost or (member.ending is not None and not member.strikes):
            self.running.close(member, "lost" if lost else "stopped", reason)
            if attempt is not None:
                self.books.ledger.release(attempt.task.id, time.time())
        else:
            self.say(member, reason)
            if attempt is None:
                self.blame_device_or_model(member, ended, reason)
            elif not self.judge(member, attempt, ended, reason):
                self.fleet.count_death(member.device)
        if attempt is not None and self.books.ledger[attempt.task.id].left == 0:
            self.running.complete(attempt.task.id)

    def say(self, member: Member, reason: str) -> None:
        attempt = member.attempt
        self.books.event(
            "warn",
            f"worker ended: {reason}",
            member.device,
            attempt.model.name if attempt else None,
            attempt.shard.number if attempt else None,
        )

    def blame_device_or_model(self, member: Member, ended: Ended, reason: str) -> None:
        if member.load_failed:
            return
        if member.state == "loading" and member.model_id is not None and ended.code not in KILLS:
            self.loading.count_failure(member.device, member.model_id, reason)
        else:
            self.fleet.count_death(member.device)

    def judge(self, member: Member, attempt: Attempt, ended: Ended, reason: str) -> bool:
        """Strikes the task where it may be to blame; whether one record of it was found guilty."""
        task_id, now, ledger = attempt.task.id, time.time(), self.books.ledger
        self.suspects.name(task_id, attempt.touched)
        proven = self.fleet.is_proven(member.device, attempt.model.id)
        alone = attempt.lonely in attempt.outstanding
        poison = alone and self.is_poison(member, attempt, ended, proven)
        killed_first = ended.code == -9 and not member.strikes and task_id not in self.killed
        if killed_first:
            self.killed.add(task_id)
        self.running.close(member, "died", reason)
        on_trial = self.fleet.on_trial(member.device, attempt.model.id)
        if poison or killed_first or on_trial or member.stuck or (alone and proven):
            ledger.release(task_id, now, reason)
            return poison
        ledger.strike(task_id, now, attempt.rows > 0, reason)
        if self.suspects.records.get(task_id):
            # One of the suspects may be the cause: they run alone, and without delay.
            ledger.change(task_id, now, not_before=0.0)
        return False

    def is_poison(self, member: Member, attempt: Attempt, ended: Ended, proven: bool) -> bool:
        """Whether the record that was alone is to blame; it is failed then."""
        i, task = attempt.lonely, attempt.task
        if i is None:
            return False
        # Where nothing was ever captioned the last record left still cannot fail its whole task.
        last_strike = attempt.log.left == 1 and task.strikes + 1 >= self.policy.strikes
        from_outside = member.stuck or (ended.code in KILLS and member.ending is None)
        guilty = self.suspects.died_alone(task.id, i, from_outside)
        # A read that does not end says nothing of device or model.
        if not (guilty if proven or member.stuck else last_strike):
            return False
        detail = "the worker died again and again on this record alone"
        try:
            attempt.accept([{"i": i, "error": "poison", "detail": detail}])
        except OSError as error:
            self.running.cannot_write(error)
            return False
        self.books.event("fail", f"record {i}: {detail}", shard=attempt.shard.number)
        return True


def why(member: Member, ended: Ended) -> str:
    if ended.rubbish is not None:
        return f"it wrote {ended.rubbish}"
    if member.last_words or member.ending:
        return member.last_words or str(member.ending)
    if ended.lost is not None:
        return ended.lost
    if ended.code < 0:
        hint = " (the kernel, out of memory?)" if ended.code == -9 else ""
        return f"killed by signal {-ended.code}{hint}"
    return f"exit code {ended.code}"
