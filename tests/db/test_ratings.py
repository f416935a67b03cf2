"""Ratings of captions: which count now, and what flags of an older project become."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from db import connection as connect
from db import projects, ratings
from db.rows import Rating
from tests.db.conftest import MODELS
from tests.db.test_migrations import add_models, old_database

FIRST, ORIGINAL = MODELS[0].settings_hash, ""


def test_a_rating_counts_while_the_model_has_its_settings(connection: Connection) -> None:
    assert ratings.current(connection) == {}
    added = {
        (0, 3, 1, FIRST): Rating(False, "no dog"),
        (0, 3, 1, "other"): Rating(True, ""),
        (0, 3, 0, ORIGINAL): Rating(False, ""),
        (1, 2, 1, FIRST): Rating(True, "x"),
    }
    ratings.change(connection, added, [])
    again = {(0, 3, 1, FIRST): Rating(False, "a cat \ud800")}
    ratings.change(connection, again, [(1, 2, 1, FIRST), (2, 2, 2, "")])
    bad = {(0, 3, 1): Rating(False, "a cat \\ud800"), (0, 3, 0): Rating(False, "")}
    assert ratings.current(connection) == bad
    assert ratings.current(connection, shard=1) == {}
    projects.save_model(connection, replace(MODELS[0], settings_hash="other"))
    assert ratings.current(connection, shard=0)[0, 3, 1] == Rating(True, "")
    assert ratings.reasons_of_bad(connection) == {(0, 3, 0): ""}
    assert len(ratings.all_ratings(connection)) == 3


def test_a_rating_in_no_shard_is_refused(connection: Connection) -> None:
    with pytest.raises(IntegrityError):
        ratings.change(connection, {(3, 0, 1, FIRST): Rating(True, "")}, [])


def test_flags_of_captions_become_bad_ratings(tmp_path: Path) -> None:
    path = old_database(tmp_path, "0007", paused=False, reason=None)
    add_models(path, "blocked", [None])
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("INSERT INTO caption_flag VALUES (0, 3, 1, 'no dog'), (0, 4, 0, '')")
    connect.ensure_schema(path)
    with connect.reading(path) as connection:
        (model,) = projects.models(connection)
        assert ratings.all_ratings(connection) == {
            (0, 3, 1, model.settings_hash): Rating(False, "no dog"),
            (0, 4, 0, ""): Rating(False, ""),
        }
