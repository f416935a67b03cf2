"""The metrics of a project, read back by Prometheus' own parser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import canned_projects
from tui.viewmodel.metrics import prometheus_text
from tui.viewmodel.snapshot import Snapshot
from tui.viewmodel.snapshot_reader import read_snapshot


def samples(snapshot: Snapshot) -> dict[tuple[str, ...], float]:
    """Return the values by name and labels but the project's, which all must have."""
    found = {}
    for family in text_string_to_metric_families(prometheus_text(snapshot, 123.0).decode()):
        assert family.documentation
        assert family.type == "gauge"
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("project") == str(snapshot.folder)
            found[sample.name, *labels.values()] = sample.value
    return found


def test_a_busy_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.process.identity.is_alive", lambda row: True)
    snapshot = read_snapshot(canned_projects.copy_canned_project(tmp_path / "p", "busy"))
    found = samples(snapshot)
    assert found["mllmaug_read_timestamp_seconds",] == 123
    assert found["mllmaug_state", "running"] == 1
    assert found["mllmaug_state", "killed"] == 0
    assert found["mllmaug_tasks", "pending"] == snapshot.tasks["pending"]
    for model in snapshot.models:
        name = model.row.name
        assert found["mllmaug_images", name] == model.total
        assert found["mllmaug_done_images", name] == model.captioned
        assert found["mllmaug_failed_images", name] == model.failed
        assert found["mllmaug_left_images", name] == model.left
    first = snapshot.devices[0].row
    assert found["mllmaug_device_memory_bytes", first.id] == first.memory_total
    assert 0 <= found["mllmaug_device_utilisation_ratio", first.id] <= 1
    assert any(name == "mllmaug_eta_seconds" for name, *_ in found)


def test_hostile_names_stay_one_label(tmp_path: Path) -> None:
    snapshot = read_snapshot(canned_projects.copy_canned_project(tmp_path / "p", "create"))
    hostile = replace(snapshot, folder=Path('/data/a"} 1\n# HELP x\\'))
    assert samples(hostile)["mllmaug_state", "idle"] == 1
    unreadable = prometheus_text(replace(snapshot, folder=Path("/data/\udcff")), 1.0)
    assert b"/data/\\\\udcff" in unreadable
