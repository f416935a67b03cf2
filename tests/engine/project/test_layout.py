"""The paths of a project's files, and of its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from db.rows import ProjectRow
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project

PROJECT = Project(Path("/p"))


def settings(**values: Any) -> ProjectRow:
    row: dict[str, Any] = {"uid": "u", "created": 0.0, "records": 1, "image_root": "images"}
    return ProjectRow(**row | values)


@pytest.mark.parametrize(
    ("values", "image", "path"),
    [
        ({}, "a.jpg", "/p/images/a.jpg"),
        ({"image_root": "/data"}, "a.jpg", "/data/a.jpg"),
        ({}, "/else/a.jpg", "/else/a.jpg"),
        ({"path_map": (("/old/", "new/"),)}, "/old/a.jpg", "/p/images/new/a.jpg"),
        ({"allow_outside": True}, "../a.jpg", "/p/images/../a.jpg"),
    ],
)
def test_the_path_of_an_image_follows_the_settings(
    values: dict[str, object], image: str, path: str
) -> None:
    assert image_paths_of(PROJECT, settings(**values)).resolve(image) == path


def test_a_node_of_a_cluster_gets_no_folder_of_its_own() -> None:
    assert PROJECT.worker_log("node-1/gpu:0") == Path("/p/logs/worker-node-1-gpu-0.log")
