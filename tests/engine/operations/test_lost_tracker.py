"""A project without database and manifest: it is refused, and a new one takes its captions over."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.captioners.registry import choose
from engine.operations.new_project import NewProject, create
from engine.project.opening import open_project
from engine.protocol.caption_row import CaptionRow, row_fields
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.reconcile import log_path, reconcile
from engine.utils import jsonlines
from engine.utils.errors import BadInput
from tests.support.pictures import make_captions


def test_a_new_project_takes_over_the_captions_as_the_message_says(tmp_path: Path) -> None:
    data = tmp_path / "data"
    wish = NewProject(
        captions=[make_captions(data, 4)],
        models=[choose("dry-run")],
        image_root=data,
        shard_size=2,
    )
    lost = create(tmp_path / "lost", wish).project
    state = ProjectState.load(lost, Policy())
    for task in state.ledger.tasks.values():
        log = log_path(state, task)
        log.parent.mkdir(parents=True, exist_ok=True)
        rows = (CaptionRow(i, f"{task.shard}:{i}", 1, "stop") for i in range(2))
        log.write_bytes(b"".join(jsonlines.dumps(row_fields(row)) + b"\n" for row in rows))
    lost.database.unlink()
    lost.manifest.unlink()
    files = sorted(lost.folder.rglob("*"))
    with pytest.raises(BadInput, match=r"has lost project.db and project.json, .*/shards/\*'"):
        open_project(lost.folder)
    assert sorted(lost.folder.rglob("*")) == files

    again = NewProject(
        captions=sorted(lost.shards.iterdir()),
        models=wish.models,
        image_root=data,
        shard_size=2,
    )
    new = create(tmp_path / "new", again).project
    lost.captions.rename(new.captions)
    state = ProjectState.load(new, Policy())
    reconcile(state)
    assert [task.state for task in state.ledger.tasks.values()] == ["done", "done"]
