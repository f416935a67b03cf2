"""What actions need of the session. Each condition returns why it does not hold, None if it does.

A condition about the snapshot says nothing while there is none: `snapshot` does.
"""

from __future__ import annotations

from tui.session.session import Session


def project(session: Session) -> str | None:
    """The application was started with a project."""
    return None if session.project is not None else "no project is open"


def a_terminal(session: Session) -> str | None:
    """The application goes on when it is closed for another project."""
    return "this page shows one project: 'mllmaug-tui web' another" if session.in_browser else None


def snapshot(session: Session) -> str | None:
    """The project is opened and was read once."""
    return None if session.snapshot is not None else "the project is still being opened"


def a_run(session: Session) -> str | None:
    """A supervisor is alive."""
    idle = session.snapshot is not None and session.snapshot.supervisor is None
    return "nothing is running" if idle else None


def no_run(session: Session) -> str | None:
    """No supervisor is alive: models and shearing may be changed."""
    running = session.snapshot is not None and session.snapshot.supervisor is not None
    return "the project is running: stop it first (K)" if running else None


def free_devices(session: Session) -> str | None:
    """No run has the devices."""
    running = session.snapshot is not None and session.snapshot.supervisor is not None
    return "the run has the devices" if running else None


def captions(session: Session) -> str | None:
    """At least one record is captioned."""
    none_yet = session.snapshot is not None and not session.snapshot.captioned
    return "there is no caption yet" if none_yet else None


def answer(session: Session) -> str | None:
    """The request before is answered."""
    return "the run has not answered yet" if session.request_pending else None


def open_tasks(session: Session) -> str | None:
    """Some task is pending or running."""
    finished = session.snapshot is not None and session.snapshot.state == "finished"
    return "everything is captioned; retry shards on the Shards screen" if finished else None


def no_stop(session: Session) -> str | None:
    """The run is not on its way to stop."""
    supervisor = session.snapshot.supervisor if session.snapshot is not None else None
    return "the run is stopping" if supervisor is not None and supervisor.stopping else None
