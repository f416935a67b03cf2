"""Fixtures of the fault tests: a data set, a project, and the export of an undisturbed run."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.project.layout import Project
from tests.faults.support.gate import Gate
from tests.faults.support.projects import exported_bytes, make_project
from tests.faults.support.supervisor_process import SupervisorProcess
from tests.support.pictures import check_dry_run_export, make_captions

COUNT = 60
"""Number of records in the data set."""


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 60 images and their caption file."""
    folder = tmp_path_factory.mktemp("data")
    make_captions(folder, COUNT)
    return folder


@pytest.fixture
def project(tmp_path: Path, data: Path) -> Project:
    """A project of three shards of 20 records, with batches of 8."""
    return make_project(tmp_path / "run", data / "captions.json")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate at which each worker process waits after its first batch."""
    return Gate(tmp_path, 1)


@pytest.fixture(scope="session")
def undisturbed_export(tmp_path_factory: pytest.TempPathFactory, data: Path) -> bytes:
    """The bytes that a run without any fault exports."""
    project = make_project(tmp_path_factory.mktemp("undisturbed") / "run", data / "captions.json")
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    out = exported_bytes(project)
    path = project.folder.parent / "out.json"
    path.write_bytes(out)
    check_dry_run_export(path, data, [f"images/{number:06}.png" for number in range(COUNT)])
    return out
