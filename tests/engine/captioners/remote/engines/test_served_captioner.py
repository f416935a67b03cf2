"""The captioner of a server that it starts itself: its first caption, and the server's end."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from engine.captioners.base import CheckpointError, ServerUnavailable
from engine.captioners.registry import choose
from engine.captioners.remote import captioner
from engine.captioners.remote.engines import captioner as served
from engine.captioners.remote.engines.captioner import ServedCaptioner
from engine.captioners.settings import Settings
from engine.images.image import Picture
from engine.operations.checkpoint_check import check_model
from tests.engine.captioners.remote.conftest import HASTY
from tests.faults.support import misbehaving_engine
from tests.faults.support.misbehaving_engine import processes, write_faults
from tests.support.waiting import wait_for


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captioner, "RETRY_POLICY", HASTY)
    monkeypatch.setattr(served, "SLOW_REQUEST_SECONDS", 0.0)


def load(folder: Path) -> ServedCaptioner:
    backend = {"backend": shlex.join(misbehaving_engine.command())}
    model = choose(f"m=server:{folder}", changes=backend)
    return served.load(model.checkpoint, Settings.of(model.settings), "cpu", lambda _: None)


def kill_server(loaded: ServedCaptioner, folder: Path) -> None:
    """Kill the server, of which nothing is left then."""
    keepers = {loaded.server.keeper.pid}
    pids = [pid for pid in processes(folder) if os.getpgid(pid) not in keepers]
    os.kill(pids[0], signal.SIGKILL)
    wait_for(lambda: not processes(folder))


def test_a_server_that_dies_while_it_has_nothing_to_do(tmp_path: Path, picture: Picture) -> None:
    folder = write_faults(tmp_path / "tiny")
    with closing(load(folder)) as loaded:
        asked = loaded.prepare(picture)
        assert loaded.caption([asked], [3])[0].raw.startswith("24x16 RGB image")
        kill_server(loaded, folder)
        with pytest.raises(ServerUnavailable, match=r"ended \(signal 9\): listening on") as caught:
            loaded.caption([asked], [4])
        assert set(caught.value.record_ids) == set()


def test_other_settings_ask_the_same_server(tmp_path: Path, picture: Picture) -> None:
    folder = write_faults(tmp_path / "tiny")
    with closing(load(folder)) as loaded:
        other = loaded.with_settings(replace(loaded.settings, prompt="What?"))
        assert other.caption([other.prepare(picture)], [3])[0].raw.startswith("24x16 RGB")
    wait_for(lambda: not processes(folder))


def test_doctor_starts_a_server_and_ends_it(tmp_path: Path) -> None:
    folder = write_faults(tmp_path / "tiny", ["exits"])
    backend = f"m.backend={shlex.join(misbehaving_engine.command())}"
    (failed,) = check_model(f"m=server:{folder}", [backend])
    assert not failed.good and "exit code 1): no such checkpoint" in failed.text
    ready, drawing = check_model(f"m=server:{folder}", [backend])
    assert ready.good and "is asked for 'tiny'" in ready.text
    assert drawing.good and "a red disc over a blue bar" in drawing.text
    wait_for(lambda: not processes(folder))


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (["lies at once"], "the server does not caption: .*text/html"),
        (["refuses at once"], "the server does not caption: .*which model"),
        (["dies at once"], r"the server does not caption: the server has ended \(signal 9\)"),
        (["hangs at once"], "the server does not caption: .*does not answer"),
    ],
)
def test_a_server_that_is_ready_and_captions_nothing_is_not_loaded(
    tmp_path: Path, faults: Sequence[str], message: str
) -> None:
    folder = write_faults(tmp_path / "tiny", faults)
    with pytest.raises(CheckpointError, match=message):
        load(folder)
    wait_for(lambda: not processes(folder))
