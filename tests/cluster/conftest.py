"""One Ray cluster for a module of tests: a head without work, and nodes of two logical GPUs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.faults.support.projects import exported, make
from tests.support.cli import cli_ok
from tests.support.pictures import make_captions

COUNT = 400
OBJECT_STORE = 80 * 2**20
NOTICES_SOON = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 3,
}
"""A node that was killed counts as dead after some 3 s; by itself Ray takes half a minute."""


class Nodes:
    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self.folder = folder
        self.cluster = Cluster()
        self.nodes = {}
        self.add("head", gpus=0, _system_config=NOTICES_SOON)

    @property
    def address(self) -> str:
        return self.cluster.address

    def add(self, name: str, gpus: int = 2, **options: object) -> None:
        self.nodes[name] = self.cluster.add_node(
            node_name=name,
            num_cpus=gpus // 2,
            num_gpus=gpus,
            object_store_memory=OBJECT_STORE,
            include_dashboard=False,
            env_vars={"NODE": name, "MISSING": str(self.folder)},
            **options,
        )

    def kill(self, name: str) -> None:
        self.cluster.remove_node(self.nodes.pop(name), allow_graceful=False)

    def lacks(self, name: str, what: str) -> None:
        (self.folder / f"{name}.{what}").touch()

    def finds(self, name: str, what: str) -> None:
        (self.folder / f"{name}.{what}").unlink()

    def restore(self) -> None:
        """Nodes a and b, and nothing missing."""
        for path in self.folder.iterdir():
            path.unlink()
        for name in [name for name in self.nodes if name not in ("head", "a", "b")]:
            self.kill(name)
        for name in ("a", "b"):
            if name not in self.nodes:
                self.add(name)


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    pytest.importorskip("ray", reason="needs the extra ray: pip install 'mllmaug-tui[ray]'")
    # Ray's sockets lie there, and the path of a socket must be short.
    short = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", short)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        nodes = Nodes(tmp_path_factory.mktemp("missing"))
        try:
            yield nodes
        finally:
            # Ray ends any process that asked it and then hears nothing for a minute: this one.
            nodes.cluster.global_state.disconnect()
            nodes.cluster.shutdown()
            shutil.rmtree(short, ignore_errors=True)


@pytest.fixture
def nodes(started):
    started.restore()
    return started


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_captions(folder, COUNT)
    return folder


@pytest.fixture
def project(tmp_path, data):
    """20 shards of 20 records, batches of 8."""
    return make(tmp_path / "run", data / "captions.json")


@pytest.fixture(scope="module")
def local(tmp_path_factory, data):
    """What a run on this machine exports."""
    project = make(tmp_path_factory.mktemp("local") / "run", data / "captions.json")
    cli_ok("run", project.folder, "--devices", "cpu")
    return exported(project)
