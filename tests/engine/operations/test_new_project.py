"""Making a project: what is on the disk for good before its database is there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.captioners.model_families import FAMILIES
from engine.captioners.registry import choose
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.utils.errors import BadInput
from tests.support.fake_scorer import FAMILY
from tui.formatting.created_lines import created_lines


def test_every_shard_is_synced_before_the_database_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions = tmp_path / "captions.json"
    captions.write_text(json.dumps([{"image": f"{i}.jpg", "caption": "a"} for i in range(7)]))
    project = Project(tmp_path / "project")
    synced: set[int] = set()
    """Inodes of the files that were synced before the database had its name."""
    real_sync = os.fsync

    def sync(handle: int) -> None:
        if not project.database.exists():
            synced.add(os.fstat(handle).st_ino)
        real_sync(handle)

    monkeypatch.setattr(os, "fsync", sync)
    new = NewProject(
        captions=[captions],
        models=[choose("dry-run")],
        shard_size=3,
        allow_missing=True,
    )
    create(project.folder, new)
    shards = sorted(project.shards.iterdir())
    assert len(shards) == 3
    assert {path.stat().st_ino for path in [*shards, project.shards]} <= synced


def test_no_project_is_made_of_no_record(tmp_path: Path) -> None:
    tar = tmp_path / "cut.tar"
    tar.write_bytes(b"x" * 700)
    new = NewProject(captions=[tar], models=[choose("dry-run")], skip_bad=True, allow_missing=True)
    with pytest.raises(BadInput, match=r"no record can be read: .*cut\.tar: not a sound tar"):
        create(tmp_path / "run", new)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("models", "original", "scores_originals"),
    [(["clip"], "a", True), (["dry-run", "clip"], "", False), (["clip"], "", None)],
)
def test_scorers_need_captions(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    models: list[str],
    original: str,
    scores_originals: bool | None,
) -> None:
    monkeypatch.setitem(FAMILIES, FAMILY.name, FAMILY)
    captions = tmp_path / "captions.json"
    captions.write_text(json.dumps([{"image": "0.jpg", "caption": original}]))
    choices = [choose(f"clip={FAMILY.name}" if name == "clip" else name) for name in models]
    new = NewProject(captions=[captions], models=choices, allow_missing=True)
    if scores_originals is None:
        with pytest.raises(BadInput, match="there is nothing to score: no model captions"):
            create(tmp_path / "run", new)
        assert not (tmp_path / "run").exists()
        return
    created = create(tmp_path / "run", new)
    assert created.scores_originals == scores_originals
    assert ("no model captions" in "".join(created_lines(created))) == scores_originals
