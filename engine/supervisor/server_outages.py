"""A server that went away: which of the records that it was asked about may have been its end.

They are suspects and asked about one at a time, when all else of their shard is done and nothing
else is with the server. One that the server keeps going away from is failed: it alone was there
each time, just after the server had captioned a picture of our own.
"""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote

from engine.state.policy import Policy
from engine.state.project_state import Books
from engine.supervisor.attempt import Attempt
from engine.supervisor.poison import Suspects
from engine.supervisor.task_runner import Running
from engine.supervisor.worker_state import Member
from engine.utils.plurals import plural

NAMED = 5


class Outages:
    def __init__(self, books: Books, running: Running, suspects: Suspects, policy: Policy) -> None:
        self.books = books
        self.running = running
        self.suspects = suspects
        self.policy = policy

    def note(self, member: Member, records: Iterable[int]) -> None:
        """Of the running attempt; these were with the server when it stopped answering."""
        attempt = member.attempt
        if attempt is None:
            return
        lost = sorted(attempt.outstanding.intersection(records))
        if not lost:
            return
        self.suspects.name(attempt.task.id, lost)
        if attempt.secluded and attempt.lonely in lost:
            self.judge(member, attempt, lost[0])
        else:
            named = ", ".join(map(str, lost[:NAMED])) + (", ..." if lost[NAMED:] else "")
            self.say(
                member,
                attempt,
                f"the server went away while it was asked about {plural(len(lost), 'record')},"
                f" which come last, one at a time, to find out if it was one of them ({named})",
            )

    def judge(self, member: Member, attempt: Attempt, i: int) -> None:
        guilty = self.suspects.died_alone(attempt.task.id, i, killed=False)
        times, most = self.suspects.times_alone(attempt.task.id, i), self.policy.server_deaths
        image = attempt.originals[i][0]
        if not guilty:
            self.say(
                member,
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
        self.books.event("fail", text, member.device, attempt.model.name, shard)

    def say(self, member: Member, attempt: Attempt, text: str) -> None:
        self.books.event("warn", text, member.device, attempt.model.name, attempt.shard.number)

    def exclusion(self, attempt: Attempt, i: int) -> str:
        """The command that gives the record up."""
        folder, model = quote(str(self.books.project.folder)), quote(attempt.model.name)
        where = f"--shard {attempt.shard.number} --record {i} --model {model}"
        return f"mllmaug-tui exclude {folder} {where}"
