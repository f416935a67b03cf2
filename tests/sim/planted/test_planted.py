"""Planted bugs are found; `make slow` looks for all of them, other runs for a few."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.planted import trial
from tests.sim.planted.bugs import ROOT, Bug, PatchDoesNotApply, all_bugs
from tests.sim.planted.trial import try_to_find

BUGS = all_bugs()
QUICK = ("attempts-left-open", "no-sync-at-end", "wrong-task-accepted")
"""Bugs that are found within a few seeds."""


def test_there_are_at_least_twenty_bugs_and_no_two_are_the_same() -> None:
    assert len({bug.title for bug in BUGS}) == len(BUGS) >= 20
    assert {bug.name for bug in BUGS} >= set(QUICK)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_patch_applies_and_changes_the_product_alone(bug: Bug) -> None:
    bug.plant(ROOT, check=True)
    assert bug.title.endswith(".")
    assert bug.changed_files
    assert all(path.startswith(("engine/", "db/")) for path in bug.changed_files)


def test_what_is_violated_without_the_bug_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    (bug,) = (bug for bug in BUGS if bug.name == "no-sync-at-end")
    monkeypatch.setattr(trial, "is_sound", lambda _: False)
    found = try_to_find(bug, seeds=20)
    assert not found["found"]
    assert found["violation"].startswith("without the bug, too: ")


def test_a_patch_that_does_not_apply_is_named(tmp_path: Path) -> None:
    patch = tmp_path / "old.patch"
    patch.write_text("Old.\n--- a/engine/x.py\n+++ b/engine/x.py\n@@ -1,1 +1,1 @@\n-a\n+b\n")
    with pytest.raises(PatchDoesNotApply, match=r"old\.patch no longer applies"):
        Bug(patch).plant(tmp_path)


@pytest.mark.parametrize(
    "bug",
    [pytest.param(bug, marks=() if bug.name in QUICK else pytest.mark.slow) for bug in BUGS],
    ids=lambda bug: bug.name,
)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    found = try_to_find(bug)
    assert found["found"], found
