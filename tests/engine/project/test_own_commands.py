"""Whose commands run: this user's, and not those that a received project names."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from db import projects
from db.connection import migrate, writing
from db.rows import ModelRow, ProjectRow, ShardRow
from engine.captioners.registry import choose
from engine.project import own_commands
from engine.project.layout import Project
from engine.utils.errors import BadInput
from engine.utils.user_config import state_folder

COMMAND = {"backend": "evil {port}"}


def model(folder: Path, changes: Mapping[str, str], number: int = 1) -> ModelRow:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    choice = choose(f"m{number}=server:{folder}", changes=changes)
    return ModelRow(
        id=number,
        position=number,
        name=choice.name,
        family=choice.family,
        checkpoint=choice.checkpoint,
        settings=choice.settings,
        settings_hash=choice.settings_hash,
    )


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, []),
        ({"backend": "transformers"}, []),
        (COMMAND, ["evil", "{port}"]),
        ({"interpreter": "/bin/sh"}, ["/bin/sh"]),
        ({"arguments": "--trust-remote-code"}, ["vllm", "--trust-remote-code"]),
    ],
)
def test_what_a_model_names(tmp_path: Path, changes: Mapping[str, str], command: list[str]) -> None:
    row = model(tmp_path / "tiny", changes)
    assert own_commands.named_command(row) == command
    assert own_commands.is_allowed("u", row) == (command == [])
    own_commands.allow(Project(tmp_path), "u", [row])
    assert own_commands.is_allowed("u", row)


def test_what_was_allowed_is_that_command_for_that_project_and_checkpoint(tmp_path: Path) -> None:
    row = model(tmp_path / "tiny", COMMAND)
    own_commands.allow(Project(tmp_path), "u", [row])
    others = [
        ("v", row),
        ("u", model(tmp_path / "other", COMMAND)),
        ("u", model(tmp_path / "tiny", {"backend": "evil --more {port}"})),
        ("u", model(tmp_path / "tiny", COMMAND | {"arguments": "--more"})),
        ("u", model(tmp_path / "tiny", COMMAND | {"interpreter": "/bin/sh"})),
    ]
    assert [own_commands.is_allowed(*each) for each in others] == [False] * len(others)


def test_a_change_of_another_setting_allows_nothing(tmp_path: Path) -> None:
    received = model(tmp_path / "tiny", COMMAND)
    changed = replace(received, settings=received.settings | {"batch": 4})
    added = model(tmp_path / "tiny", {"interpreter": "/bin/sh"}, 2)
    project = Project(tmp_path)
    own_commands.allow_changes(project, "u", {1: received}, {1: changed, 2: added})
    assert not own_commands.is_allowed("u", changed)
    assert own_commands.is_allowed("u", added)
    own = model(tmp_path / "tiny", {"backend": "mine {port}"}, 2)
    own_commands.allow_changes(project, "u", {2: added}, {2: own})
    assert own_commands.is_allowed("u", own)


def test_a_received_project_is_refused_until_it_is_allowed(tmp_path: Path) -> None:
    project = Project(tmp_path / "run")
    project.folder.mkdir()
    migrate(project.database)
    settings = ProjectRow(uid="u", created=0.0, records=1, image_root="images")
    with writing(project.database) as connection:
        shard = ShardRow(number=0, first=0, count=1, bytes=1, digest="d")
        projects.create(connection, settings, [model(tmp_path / "tiny", COMMAND)], [shard])
    with pytest.raises(BadInput, match=r"m1 would run .*evil .* --allow-commands") as caught:
        own_commands.check(project)
    assert str(project.folder) in str(caught.value)
    own_commands.allow_in(project)
    own_commands.check(project)
    shutil.rmtree(state_folder() / "commands")
    with pytest.raises(BadInput):
        own_commands.check(project)


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    state_folder().parent.mkdir(parents=True, exist_ok=True)
    state_folder().write_text("a file in the way")
    with pytest.raises(BadInput, match="cannot save your permission"):
        own_commands.allow(Project(tmp_path), "u", [model(tmp_path / "tiny", COMMAND)])
