"""Flags of records."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from db import flags


def test_flags_are_added_and_removed(connection: Connection) -> None:
    assert flags.record_keys(connection) == frozenset()
    flags.change(connection, [(0, 3), (1, 3), (1, 4)], [])
    flags.change(connection, [(0, 3), (2, 0)], [(1, 3), (2, 4)])
    assert flags.record_keys(connection) == {(0, 3), (1, 4), (2, 0)}
    assert flags.record_keys(connection, shard=1) == {(1, 4)}


def test_a_flag_in_no_shard_is_refused(connection: Connection) -> None:
    with pytest.raises(IntegrityError):
        flags.change(connection, [(3, 0)], [])
