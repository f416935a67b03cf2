"""Who may allow that servers get images outside the image root: this user, for what they saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from db import projects
from db.connection import migrate, writing
from db.rows import ModelRow, ProjectRow, ShardRow
from engine.captioners.registry import choose
from engine.project import outside_images
from engine.project.layout import Project
from engine.utils.errors import BadInput
from engine.utils.user_config import state_folder

SETTINGS = ProjectRow(uid="u", created=0.0, records=4, image_root="/data", allow_outside=True)
SHARDS = [ShardRow(number=0, first=0, count=4, bytes=1, digest="d")]


def model(address: str = "https://example.org/v1") -> ModelRow:
    choice = choose(f"served={address}")
    return ModelRow(
        id=1,
        position=1,
        name=choice.name,
        family=choice.family,
        checkpoint=choice.checkpoint,
        settings=choice.settings,
        settings_hash=choice.settings_hash,
    )


Facts = tuple[ProjectRow, list[ModelRow], list[ShardRow]]
FACTS: Facts = (SETTINGS, [model()], SHARDS)


def test_nothing_in_a_project_allows_it(tmp_path: Path) -> None:
    assert not outside_images.is_allowed(Project(tmp_path), *FACTS)


def test_what_was_allowed_stays_allowed_for_the_same_project_only(tmp_path: Path) -> None:
    outside_images.allow(Project(tmp_path), *FACTS)
    assert outside_images.is_allowed(Project(tmp_path), *FACTS)
    assert outside_images.is_allowed(Project(tmp_path / "moved"), *FACTS)


@pytest.mark.parametrize(
    "change",
    [
        lambda s, m, r: (replace(s, uid="v"), m, r),
        lambda s, m, r: (replace(s, image_root="/home"), m, r),
        lambda s, m, r: (replace(s, image_root="images"), m, r),
        lambda s, m, r: (replace(s, path_map=(("a", "/b"),)), m, r),
        lambda s, m, r: (s, [model("https://evil.org/v1")], r),
        lambda s, m, r: (s, [*m, model("https://evil.org/v1")], r),
        lambda s, m, r: (s, m, [replace(r[0], digest="e")]),
        lambda s, m, r: (s, m, [*r, r[0]]),
    ],
)
def test_a_changed_project_is_to_be_allowed_again(
    tmp_path: Path, change: Callable[..., Any]
) -> None:
    outside_images.allow(Project(tmp_path), *FACTS)
    assert not outside_images.is_allowed(Project(tmp_path), *change(*FACTS))


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    state_folder().parent.mkdir(parents=True, exist_ok=True)
    state_folder().write_text("a file in the way")
    with pytest.raises(BadInput, match="cannot save your permission"):
        outside_images.allow(Project(tmp_path), *FACTS)
    assert not outside_images.is_allowed(Project(tmp_path), *FACTS)


@pytest.fixture
def received(tmp_path: Path) -> Callable[[str], Project]:
    """A function that makes a project with a server and this image root."""

    def make(root: str) -> Project:
        project = Project(tmp_path / "run")
        (project.folder / "images").mkdir(parents=True)
        (tmp_path / "pictures").mkdir()
        (project.folder / "link").symlink_to("../pictures")
        migrate(project.database)
        settings = replace(SETTINGS, image_root=root.format(outer=tmp_path))
        with writing(project.database) as connection:
            projects.create(connection, settings, [model()], SHARDS)
        return project

    return make


@pytest.mark.parametrize("root", ["/", "{outer}", "{outer}/pictures", "..", "link", "images/../.."])
def test_a_server_gets_nothing_of_a_root_that_somebody_else_named(
    received: Callable[[str], Project], root: str
) -> None:
    project = received(root)
    with pytest.raises(BadInput, match=r"https://example\.org/v1 would get images") as caught:
        outside_images.check_image_root(project)
    assert "--allow-outside" in str(caught.value)
    outside_images.name_root(project, outside_images.read_facts(project)[0])
    outside_images.check_image_root(project)


@pytest.mark.parametrize("root", ["images", "link/../run/images", "{outer}/run"])
def test_a_root_within_the_project_needs_no_word(
    received: Callable[[str], Project], root: str
) -> None:
    outside_images.check_image_root(received(root))


def test_what_is_allowed_is_a_word_for_the_root(received: Callable[[str], Project]) -> None:
    project = received("/")
    outside_images.allow_in(project)
    outside_images.check_image_root(project)
