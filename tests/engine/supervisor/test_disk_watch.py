"""When the user is told that the disk fills up."""

from __future__ import annotations

from pathlib import Path

from db import notices
from db.connection import reading
from engine.state.policy import Policy
from engine.supervisor.disk_watch import DiskWatch
from tests.support.small_project import SmallProject

POLICY = Policy(disk_low=100, disk_every=60.0)


def test_it_is_told_once_until_there_is_twice_as_much_room(small: SmallProject) -> None:
    free: list[int | OSError] = [0]

    def free_bytes(folder: Path) -> int:
        if isinstance(free[0], OSError):
            raise free[0]
        return free[0]

    watch = DiskWatch(small.project, small.state, POLICY, free_bytes)
    told = []
    looks: list[int | OSError] = [150, 99, 50, 120, 50, OSError(), 200, 150, 99]
    for value in looks:
        free[0] = value
        watch.check()
        watch.check()  # too early to look again
        told.append(len(small.state.notices))
        small.state.commit()
        small.clock.sleep(60.0)
    assert told == [0, 1, 0, 0, 0, 0, 0, 0, 1]
    later = DiskWatch(small.project, small.state, POLICY, lambda folder: 50)
    later.check()  # another run, on the same full disk
    small.state.commit()
    with reading(small.project.database) as connection:
        assert len(notices.after(connection, 0)) == 2
