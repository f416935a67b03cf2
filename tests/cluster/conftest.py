"""A Ray cluster that a module's tests share: a head without work, and nodes of two logical GPUs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.project.layout import Project
from tests.faults.support.projects import exported_bytes, make_project
from tests.support.cli import cli_ok
from tests.support.pictures import make_captions

COUNT = 400
"""Number of records in the data set."""
OBJECT_STORE_BYTES = 80 * 2**20
"""Memory of a node's object store: little more than the least that Ray accepts."""
FAST_HEALTH_CHECKS = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 10_000,
    "health_check_failure_threshold": 8,
}
"""Settings of Ray by which a killed node counts as dead after some 8 s, not half a minute.

A node that is only slow, as on a busy machine, has 80 s."""


class LocalCluster:
    """A Ray cluster whose nodes are processes of this machine.

    `folder` holds the files that say what a node lacks (see `tests.cluster.cluster_worker`).
    """

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self.folder = folder
        self.cluster = Cluster()
        self.nodes: dict[str, Any] = {}
        self.add("head", gpus=0, _system_config=FAST_HEALTH_CHECKS)

    @property
    def address(self) -> str:
        return self.cluster.address

    def add(self, name: str, gpus: int = 2, **options: object) -> None:
        self.nodes[name] = self.cluster.add_node(
            node_name=name,
            num_cpus=gpus // 2,
            num_gpus=gpus,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            env_vars={"NODE": name, "MISSING": str(self.folder)},
            **options,
        )

    def kill(self, name: str) -> None:
        self.cluster.remove_node(self.nodes.pop(name), allow_graceful=False)

    def remove_thing(self, name: str, what: str) -> None:
        """Let a node lack `what`, a name that `tests.cluster.cluster_worker` knows."""
        (self.folder / f"{name}.{what}").touch()

    def restore_thing(self, name: str, what: str) -> None:
        """Undo `remove_thing`."""
        (self.folder / f"{name}.{what}").unlink()

    def restore(self) -> None:
        """Return to the nodes a and b, neither of which lacks anything."""
        for path in self.folder.iterdir():
            path.unlink()
        for name in [name for name in self.nodes if name not in ("head", "a", "b")]:
            self.kill(name)
        for name in ("a", "b"):
            if name not in self.nodes:
                self.add(name)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    pytest.importorskip("ray", reason="needs the extra ray: pip install 'mllmaug-tui[ray]'")
    # Ray puts its sockets there, and the path of a socket must be short.
    short = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", short)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        nodes = LocalCluster(tmp_path_factory.mktemp("missing"))
        try:
            yield nodes
        finally:
            # Ray ends a process that used the cluster and gets no reply for a minute: this process.
            nodes.cluster.global_state.disconnect()
            nodes.cluster.shutdown()
            shutil.rmtree(short, ignore_errors=True)


@pytest.fixture
def nodes(cluster: LocalCluster) -> LocalCluster:
    """The cluster, with nodes a and b."""
    cluster.restore()
    return cluster


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_captions(folder, COUNT)
    return folder


@pytest.fixture
def project(tmp_path: Path, data: Path) -> Project:
    """A project of 20 shards of 20 records, with batches of 8."""
    return make_project(tmp_path / "run", data / "captions.json")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, data: Path) -> bytes:
    """The export of a run on this machine."""
    project = make_project(tmp_path_factory.mktemp("local") / "run", data / "captions.json")
    cli_ok("run", project.folder, "--devices", "cpu")
    return exported_bytes(project)
