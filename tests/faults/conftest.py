from __future__ import annotations

import pytest

from tests.faults.support.forked import Supervising
from tests.faults.support.projects import exported, make
from tests.support.pictures import check_dry_run_export, make_captions

COUNT = 60


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """60 images and their caption file."""
    folder = tmp_path_factory.mktemp("data")
    make_captions(folder, COUNT)
    return folder


@pytest.fixture
def project(tmp_path, data):
    """Three shards of 20 records, batches of 8."""
    return make(tmp_path / "run", data / "captions.json")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, data):
    """What a run exports that nothing befell."""
    project = make(tmp_path_factory.mktemp("undisturbed") / "run", data / "captions.json")
    with Supervising(project) as running:
        assert running.wait() == 0
    out = exported(project)
    path = project.folder.parent / "out.json"
    path.write_bytes(out)
    check_dry_run_export(path, data, [f"images/{number:06}.png" for number in range(COUNT)])
    return out
