"""The notifier: a process of its own that calls the hooks with what waits, and then ends.

`python -m engine.notices.notifier PROJECT`. It has a session of its own, so that what kills a
supervisor kills no call. It claims a delivery in the database, calls the hook, and notes how that
ended, so that a hook is called once: any number of notifiers may run beside each other.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TypeVar

from sqlalchemy import Connection

from db import notices, supervisor_writes
from db.connection import DatabaseBusy, DatabaseError, reading, writing
from db.notices import DeliveryKey
from db.rows import DeliveryState, EventRow, NoticeKind, NoticeRow
from engine.notices.calling import CALL_SECONDS, CallFailed, call, describe_notice
from engine.notices.hooks import Hook, read_hooks
from engine.process.python_command import python_command
from engine.project.layout import Project
from engine.utils.errors import BadInput
from engine.utils.plain_files import make_folder, open_stream

logger = logging.getLogger(__name__)
ResultT = TypeVar("ResultT")

LOST_SECONDS = 4 * CALL_SECONDS
"""Seconds after which a claimed delivery that has not ended never will: its notifier was killed. A
call takes `CALL_SECONDS` and a little more."""
TRIES = 10
"""Times that a busy database is tried, of some seconds each."""


def hooks_for(kind: NoticeKind) -> Sequence[str]:
    """Return the names of the hooks that are called with notices of a kind."""
    try:
        return [hook.name for hook in read_hooks() if kind in hook.events]
    except BadInput as error:
        logger.warning("%s", error)
        return []


def start_notifier(project: Project) -> None:
    """Start a process that calls the hooks with what waits, if the user has any hook.

    That it cannot be started is only logged: what waits is delivered by whoever looks next.
    """
    try:
        if not read_hooks():
            return
        make_folder(project.logs)
        with open_stream(project.supervisor_log, "ab") as log:
            process = subprocess.Popen(  # noqa: S603 (our own interpreter and code)
                python_command("engine.notices.notifier", str(project.folder)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except (BadInput, OSError) as error:
        logger.warning("the user is not told: %s", error)
        return
    Thread(target=process.wait, daemon=True).start()  # or a zombie would stay until this run ends


def deliver(project: Project) -> None:
    """Call the hooks with all that waits. Raises `DatabaseError`."""
    hooks = {hook.name: hook for hook in read_hooks()}
    write(project, partial(note_lost, now=time.time()))
    with reading(project.database) as connection:
        waiting = notices.waiting(connection)
    for key in waiting:
        notice = write(project, partial(notices.claim, key=key, now=time.time()))
        if notice is not None:
            failure = call_hook(project, hooks.get(key[1]), notice)
            write(project, partial(note_end, key=key, kind=notice.kind, failure=failure))


def call_hook(project: Project, hook: Hook | None, notice: NoticeRow) -> str | None:
    """Call a hook, None if there is none of its name any more; return what failed, if anything."""
    if hook is None:
        return "config.toml has no such hook any more"
    try:
        call(hook, describe_notice(project, notice))
    except CallFailed as error:
        return str(error)
    return None


def note_end(
    connection: Connection, key: DeliveryKey, kind: NoticeKind, failure: str | None
) -> None:
    """Note how a delivery ended, and tell of it if it failed."""
    state: DeliveryState = "done" if failure is None else "failed"
    notices.finish(connection, key, state, failure)
    if failure is not None:
        text = f"the hook {key[1]} failed for the event {kind!r}: {failure}"
        add_event(connection, text)


def note_lost(connection: Connection, now: float) -> None:
    """Tell of deliveries whose notifier was killed: nobody knows whether the hook was called."""
    for key in notices.claimed_before(connection, now - LOST_SECONDS):
        notices.finish(connection, key, "failed", "its notifier was killed")
        add_event(
            connection, f"the hook {key[1]} may not have been called: its notifier was killed"
        )


def add_event(connection: Connection, text: str) -> None:
    event = EventRow(created=time.time(), level="warn", text=text)
    supervisor_writes.add_events(connection, [event])


def write(project: Project, change: Callable[[Connection], ResultT]) -> ResultT:
    """Make a change in a transaction of its own, and return its result. Raises `DatabaseError`."""
    for _ in range(TRIES - 1):
        try:
            with writing(project.database) as connection:
                return change(connection)
        except DatabaseBusy:
            continue
    with writing(project.database) as connection:
        return change(connection)


def main() -> None:
    """Deliver what waits in the project that the command line names; exit with text on error."""
    try:
        deliver(Project(Path(sys.argv[1])))
    except (BadInput, DatabaseError) as error:
        sys.exit(f"the user is not told: {error}")


if __name__ == "__main__":
    main()
