"""Memory for a model: the machine's, or what a control group leaves of it."""

from __future__ import annotations

import pytest

from engine.hardware.memory import groups, room


def write(folder, limit, text, used, key):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit).write_text(f"{text}\n")
    (folder / "memory.stat").write_text(f"file 9000\n{key} {used}\n")


def test_a_limit_holds_for_the_groups_inside(tmp_path):
    write(tmp_path / "slice", "memory.max", 1000, 300, "anon")
    write(tmp_path / "slice/job", "memory.max", "max", 200, "anon")
    assert list(groups("0::/slice/job\n", tmp_path)) == [(700, 1000)]


def test_version_1(tmp_path):
    limit, key = "memory.limit_in_bytes", "total_rss"
    write(tmp_path / "memory", limit, 2**63 - 4096, 50, key)
    write(tmp_path / "memory/job", limit, 1000, 50, key)
    told = "5:devices:/\n4:cpu,memory:/job\n0::/\n"
    assert (950, 1000) in list(groups(told, tmp_path))


@pytest.mark.parametrize("told", ["", "0::/\n", "0::/gone/from/here\n"])
def test_no_group_no_limit(told, tmp_path):
    assert not list(groups(told, tmp_path))


def test_this_machine():
    free, total = room()
    assert 0 < free <= total
