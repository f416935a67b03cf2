"""Which row of the tables of states stands for what was decided, by the beginning of its cell."""

from __future__ import annotations

from db.rows import TaskRow
from engine.requests import kinds
from engine.requests.answers import Answer
from engine.supervisor.exit_rules import AttemptFacts, ExitFacts, ExitVerdict


def row_of_exit(facts: ExitFacts, verdict: ExitVerdict) -> str:
    """Return the row of the end of a worker, by the order of the table."""
    attempt = facts.attempt
    if attempt is None:
        if verdict.ending == "worker_stopped":
            return "The supervisor ended the worker while it loaded"
        if facts.load_failed and not facts.machine_lost:
            return "The worker exits after its load_failed"
        if verdict.load_failure:
            return "load_failed, kind checkpoint or error"
        if facts.loading and not facts.machine_lost:
            return "The worker dies by SIGKILL or SIGTERM"
        return "The worker dies while it is idle"
    if verdict.ending == "worker_lost":
        return "The machine or the Ray actor of the worker is lost"
    if verdict.ending == "worker_stopped":
        return "The supervisor ended the worker, but not because it hung"
    return row_of_death(facts, attempt, verdict)


def row_of_death(facts: ExitFacts, attempt: AttemptFacts, verdict: ExitVerdict) -> str:
    if verdict.poison is not None:
        return "The record that ran alone is recognised as poison"
    if verdict.counts_kill:
        return "The worker was killed by SIGKILL from outside"
    if attempt.on_trial:
        return "The device is on trial"
    if facts.stuck_in_read:
        return "The worker reported stuck"
    if verdict.ending == "worker_died":
        return "A suspect was alone, the device is proven"
    added = "had added rows" if attempt.rows else "had added no row"
    return f"Anything else, and the attempt {added}"


def row_of_finish(task: TaskRow, unsynced: bool) -> str:
    """Return the row of an attempt that ended because every record has its row.

    `unsynced` is True if its last rows could not be synced.
    """
    if task.state == "done":
        return "The last missing row arrives"
    if task.error_cause == "log_incomplete":
        return "The same, but the log is not complete when it is read back"
    if unsynced:
        return "The same, but the last rows cannot be synced"
    return "The same, but the log cannot be read"


def rows_of_request(request: kinds.Request, answer: Answer, live: bool) -> list[str]:
    """Return the rows that a request takes whatever the tasks are."""
    if isinstance(request, kinds.Pause):
        return ["pause"]
    if isinstance(request, kinds.Resume):
        return ["resume"]
    if isinstance(request, kinds.Prioritise):
        return ["priority"]
    if isinstance(request, kinds.Exclude):
        if answer.result is not None and answer.result.trouble:
            return ["the same, but the log or the sheared file cannot be read or written"]
        if any(indexes is None for _, indexes in request.records):
            return ["exclude records, or include them again"] + (
                ["exclude all records of a cause"] if live else []
            )
        return ["exclude records, or include them again"]
    if isinstance(request, kinds.Configure) and "to do again" in answer.text:
        return ["set, with settings that shape"]
    if isinstance(request, kinds.AddModel):
        return ["add a model"]
    return []
