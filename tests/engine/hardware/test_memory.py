"""Memory that a model may use: the machine's, or what a control group leaves of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.hardware.memory import cgroup_limits, host_memory


def write(folder: Path, limit: str, text: int | str, used: int, key: str) -> None:
    """Make a control group with this limit and so many bytes used."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit).write_text(f"{text}\n")
    (folder / "memory.stat").write_text(f"file 9000\n{key} {used}\n")


def test_a_limit_holds_for_the_groups_inside(tmp_path: Path) -> None:
    write(tmp_path / "slice", "memory.max", 1000, 300, "anon")
    write(tmp_path / "slice/job", "memory.max", "max", 200, "anon")
    assert list(cgroup_limits("0::/slice/job\n", tmp_path)) == [(700, 1000)]


def test_version_1(tmp_path: Path) -> None:
    limit, key = "memory.limit_in_bytes", "total_rss"
    write(tmp_path / "memory", limit, 2**63 - 4096, 50, key)
    write(tmp_path / "memory/job", limit, 1000, 50, key)
    groups = "5:devices:/\n4:cpu,memory:/job\n0::/\n"
    assert (950, 1000) in list(cgroup_limits(groups, tmp_path))


@pytest.mark.parametrize("groups", ["", "0::/\n", "0::/gone/from/here\n"])
def test_no_group_no_limit(groups: str, tmp_path: Path) -> None:
    assert not list(cgroup_limits(groups, tmp_path))


def test_this_machine() -> None:
    free, total = host_memory()
    assert 0 < free <= total
