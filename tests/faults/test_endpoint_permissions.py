"""What a server gets: no key that is not its own, and no image that this user has not allowed."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.project.layout import Project
from engine.project.opening import open_project
from engine.utils.user_config import state_folder
from tests.faults.support.fake_server import FakeServer, error_reply
from tests.faults.support.projects import events, sums
from tests.faults.support.served_projects import WORKER, make_served_project, run
from tests.faults.support.supervisor_process import SupervisorProcess
from tests.support.cli import cli, cli_ok
from tests.support.pictures import draw_picture, make_captions
from tests.support.waiting import wait_for

KEY = "sk-a-key-that-must-not-be-seen"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_captions(tmp_path / "data", 10)
    return tmp_path / "data"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as started:
        yield started


@pytest.fixture
def project(tmp_path: Path, data: Path, server: FakeServer) -> Project:
    return make_served_project(tmp_path / "run", data, server)


def test_the_key_is_sent_and_nowhere_kept(
    project: Project, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLLMAUG_API_KEY_SERVED_0", KEY)
    server.behave = lambda request: (
        error_reply(401, f"wrong key: {request.key}") if request.number == 3 else None
    )
    assert run(project)
    assert {request.key for request in server.requests} == {f"Bearer {KEY}"}
    assert "wrong key: Bearer ***" in events(project)
    for path in project.folder.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


def test_a_key_that_no_header_can_hold_is_not_shown(
    project: Project, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLLMAUG_API_KEY_SERVED_0", f"{KEY}\nX: y")
    with SupervisorProcess(project, module=WORKER):
        wait_for(lambda: "MLLMAUG_API_KEY_SERVED_0 holds characters" in events(project))
    for path in project.folder.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path
    assert not server.requests


def test_keys_that_name_no_server_or_another_one_are_not_sent(
    project: Project, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address in a project may be anybody's. The event says what to do."""
    for name in ("MLLMAUG_API_KEY", "OPENAI_API_KEY", "MLLMAUG_API_KEY_OTHER"):
        monkeypatch.setenv(name, KEY)
    server.behave = lambda request: None if request.key else error_reply(401, "who are you?")
    with SupervisorProcess(project, module=WORKER):
        wait_for(lambda: "where it is not set" in events(project))
    assert "the key is taken from MLLMAUG_API_KEY_SERVED_0 in the environment" in events(project)
    assert "MLLMAUG_API_KEY names no server" in events(project)
    assert {request.key for request in server.requests} == {None}


def test_images_outside_the_root_reach_the_server_only_if_this_user_allows_it(
    tmp_path: Path, server: FakeServer
) -> None:
    """Somebody else's project may name any file of this machine, and say that it is allowed."""
    captions = make_captions(tmp_path / "data", 3)
    draw_picture(tmp_path / "private.png", 99)
    (tmp_path / "data/link.png").symlink_to("../private.png")
    names = [str(tmp_path / "private.png"), "../private.png", "link.png"]
    records = json.loads(captions.read_text()) + [{"image": it, "caption": ""} for it in names]
    captions.write_text(json.dumps(records))
    private = zlib.crc32((tmp_path / "private.png").read_bytes())
    project = tmp_path / "run"
    told = cli("new", project, captions, "--model", f"served={server.address}", "--allow-outside")
    shutil.rmtree(state_folder() / "outside-images")  # as if somebody else had allowed it
    assert "2 image paths outside the image root" in told.stderr
    assert "links lead 1 out of the image root" in told.stderr
    assert "outside: 3 images" in cli_ok("run", project, "--devices", "cpu")
    assert private not in {request.crc for request in server.requests}
    cli_ok("retry", project, "--cause", "outside")
    cli_ok("run", project, "--devices", "cpu", "--allow-outside")
    assert sum(request.crc == private for request in server.requests) == 3
    assert sums(open_project(project))["done"].captioned == 6


def test_a_run_sends_nothing_of_an_image_root_that_somebody_else_named(
    project: Project, server: FakeServer
) -> None:
    shutil.rmtree(state_folder() / "image-roots")
    for command in ("run", "pilot"):
        refused = cli(command, project.folder, "--devices", "cpu")
        assert refused.returncode == 2
        assert "which this user has not permitted" in refused.stderr
    assert not server.requests
    assert "10 of 10 images captioned" in cli_ok("run", project.folder, "--allow-outside")
