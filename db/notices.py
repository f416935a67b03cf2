"""Notices, and their deliveries to the user's hooks.

The holder of the project's lock adds notices, in the transaction that saves what they are about;
whoever sees a killed run adds that one. A delivery is claimed before its hook is called, by one
notifier, and never goes back to `waiting`: no hook is called twice with one notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_unless_there

from db.rows import DeliveryState, NoticeKind, NoticeRow
from db.tables import DELIVERY, NOTICE
from db.values import columns, storable, storable_text

MAX_NOTICES = 1_000
"""Notices that the database holds; older ones are deleted."""
DeliveryKey = tuple[int, str]
"""The key of a delivery: (notice id, the hook's name)."""


def add(
    connection: Connection,
    rows: Iterable[NoticeRow],
    hooks_for: Callable[[NoticeKind], Sequence[str]],
) -> None:
    """Add notices, and a delivery to each hook that `hooks_for` names for their kinds.

    A notice whose key is there already is passed over. The oldest beyond `MAX_NOTICES` go.
    """
    for row in rows:
        known = insert_unless_there(NOTICE).on_conflict_do_nothing(["key"])
        added = connection.execute(known.returning(NOTICE.c.id), storable(asdict(row)))
        notice_id = added.scalar_one_or_none()
        if notice_id is None:
            continue
        waiting = [
            {"notice_id": notice_id, "hook": hook, "state": "waiting"}
            for hook in hooks_for(row.kind)
        ]
        if waiting:
            connection.execute(insert(DELIVERY), waiting)
        last = notice_id - MAX_NOTICES
        connection.execute(delete(DELIVERY).where(DELIVERY.c.notice_id <= last))
        connection.execute(delete(NOTICE).where(NOTICE.c.id <= last))


def free_key(connection: Connection, key: str) -> None:
    """Let the next notice with this key be a new one."""
    connection.execute(update(NOTICE).where(NOTICE.c.key == key).values(key=None))


def last_id(connection: Connection) -> int:
    """Return the id of the newest notice, 0 if there is none."""
    newest: int | None = connection.execute(select(func.max(NOTICE.c.id))).scalar_one()
    return newest or 0


def after(connection: Connection, notice_id: int) -> tuple[NoticeRow, ...]:
    """Return the notices that came after the one with this id, oldest first."""
    query = select(*columns(NOTICE, NoticeRow)).where(NOTICE.c.id > notice_id)
    return tuple(
        NoticeRow(**row._asdict()) for row in connection.execute(query.order_by(NOTICE.c.id))
    )


def waiting(connection: Connection) -> tuple[DeliveryKey, ...]:
    """Return the deliveries that nobody has claimed, oldest first."""
    query = select(DELIVERY.c.notice_id, DELIVERY.c.hook).where(DELIVERY.c.state == "waiting")
    rows = connection.execute(query.order_by(DELIVERY.c.notice_id, DELIVERY.c.hook))
    return tuple((notice_id, hook) for notice_id, hook in rows)


def drop_waiting(connection: Connection) -> None:
    """Deliver nothing of what waits: another user's run has left it."""
    dropped = {"state": "failed", "detail": "it was left by another user's run"}
    connection.execute(update(DELIVERY).where(DELIVERY.c.state == "waiting").values(dropped))


def claim(connection: Connection, key: DeliveryKey, now: float) -> NoticeRow | None:
    """Claim a delivery and return its notice; None if somebody else has claimed it."""
    notice_id, hook = key
    claimed = connection.execute(
        update(DELIVERY)
        .where(
            DELIVERY.c.notice_id == notice_id,
            DELIVERY.c.hook == hook,
            DELIVERY.c.state == "waiting",
        )
        .values(state="claimed", claimed=now)
    )
    if not claimed.rowcount:
        return None
    query = select(*columns(NOTICE, NoticeRow)).where(NOTICE.c.id == notice_id)
    return NoticeRow(**connection.execute(query).one()._asdict())


def finish(
    connection: Connection, key: DeliveryKey, state: DeliveryState, detail: str | None
) -> None:
    """Note how a claimed delivery ended."""
    notice_id, hook = key
    connection.execute(
        update(DELIVERY)
        .where(DELIVERY.c.notice_id == notice_id, DELIVERY.c.hook == hook)
        .values(state=state, detail=None if detail is None else storable_text(detail))
    )


def claimed_before(connection: Connection, time: float) -> tuple[DeliveryKey, ...]:
    """Return the deliveries that were claimed before a time and have not ended."""
    query = select(DELIVERY.c.notice_id, DELIVERY.c.hook)
    old = query.where(DELIVERY.c.state == "claimed", DELIVERY.c.claimed < time)
    return tuple((notice_id, hook) for notice_id, hook in connection.execute(old))
