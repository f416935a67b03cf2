"""The manifest, from which a lost database is rebuilt."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from db.rows import ModelRow, ProjectRow, ShardRow
from engine.project import manifest
from engine.project.layout import Project

SETTINGS = ProjectRow(
    uid="uid", created=1.0, records=2, image_root="/i", path_map=(("/a", "/b"),), witness="x.jpg"
)
MODEL = ModelRow(
    id=1,
    position=1,
    name="m",
    family="dry-run",
    checkpoint=None,
    settings={"prompt": "What?"},
    settings_hash="abc",
)
SHARD = ShardRow(number=0, first=0, count=2, bytes=9, digest="d")

PROJECT_KEYS = [
    "uid", "created", "records", "image_root", "path_map", "allow_outside", "witness",
    "shear_mode", "shear_max_words", "paused", "pause_reason",
]  # fmt: skip
MODEL_KEYS = [
    "id", "position", "name", "family", "checkpoint", "settings", "settings_hash", "blocked",
    "load_failures", "unavailable", "not_before",
]  # fmt: skip


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    project = Project(tmp_path)
    manifest.save(project, SETTINGS, [MODEL], [SHARD])
    assert manifest.load(project) == (SETTINGS, [MODEL], [SHARD])


def test_pauses_and_failures_are_not_saved(tmp_path: Path) -> None:
    project = Project(tmp_path)
    manifest.save(project, SETTINGS, [MODEL], [SHARD])
    before = project.manifest.read_bytes()
    paused = replace(
        SETTINGS, paused=True, pause_reason="the disk is full", pause_cause="disk_full"
    )
    blocked = replace(
        MODEL,
        blocked="exit code 3",
        blocked_cause="died",
        load_failures=3,
        unavailable="HTTP 503",
        unavailable_cause="overloaded",
        not_before=9.0,
    )
    manifest.save(project, paused, [blocked], [SHARD])
    assert project.manifest.read_bytes() == before


def test_earlier_versions_can_read_it(tmp_path: Path) -> None:
    """They refuse a manifest with a field that they do not know."""
    project = Project(tmp_path)
    manifest.save(project, SETTINGS, [MODEL], [SHARD])
    contents = json.loads(project.manifest.read_bytes())
    assert list(contents["project"]) == PROJECT_KEYS
    assert list(contents["models"][0]) == MODEL_KEYS
