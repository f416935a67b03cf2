"""Servers that are down, slow, out of quota or reply nonsense: no record fails because of them."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Lock

import pytest

from engine.captioners.remote.picture_encoding import as_jpeg, data_url
from engine.project.layout import Project
from tests.faults.support.crashing_server import CrashingServer
from tests.faults.support.fake_server import (
    CaptionRequest,
    FakeServer,
    Reply,
    caption_reply,
    error_reply,
)
from tests.faults.support.invariants import check_invariants
from tests.faults.support.projects import events, exported_bytes, sums
from tests.faults.support.served_projects import (
    WORKER,
    failure_kinds,
    make_served_project,
    models,
    run,
)
from tests.faults.support.server_faults import NONSENSE, hold_from, reply_to
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.cli import cli_ok
from tests.support.pictures import make_captions
from tests.support.waiting import wait_for

COUNT = 60
"""Number of records in the data set."""


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as started:
        yield started


@pytest.fixture
def project(tmp_path: Path, data: Path, server: FakeServer) -> Project:
    return make_served_project(tmp_path / "run", data, server)


FAULTS = (
    "html",
    "cut",
    "reset",
    "endless",
    "500",
    "429 for long",
    "401",
    "404",
    "400 to everything",
)
"""One fault of each kind; those of one kind end alike in `tests.engine.captioners.remote`."""


def test_what_is_wrong_with_a_server_fails_no_record(
    project: Project, server: FakeServer, undisturbed_export: bytes
) -> None:
    """After some good replies the server misbehaves until it is reported; then in the next way."""
    left = [NONSENSE[fault] for fault in FAULTS]
    replying = Lock()
    good, reported_before = 5, 0

    def behave(_: CaptionRequest) -> Reply | None:
        nonlocal good, reported_before
        with replying:
            if not left:
                return None
            reply, message = left[0]
            if good > 1:
                good -= 1
                return None
            reported = events(project).count(message)
            if good == 1:
                good, reported_before = 0, reported
                return None
            if reported == reported_before:
                return reply
            del left[0]
            good = 4
            return None

    server.behave = behave
    assert run(project)
    assert not left
    assert events(project).count("captions again") == len(FAULTS)
    assert exported_bytes(project) == undisturbed_export
    (model,) = models(project)
    assert (model.unavailable, model.blocked, model.load_failures) == (None, None, 0)


def test_a_server_that_is_down_at_the_start_and_comes(
    tmp_path: Path, data: Path, undisturbed_export: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused_port:
        port = unused_port.getsockname()[1]
    server = FakeServer(port=port)
    server.server_close()
    project = make_served_project(tmp_path / "run", data, server)
    with SupervisorProcess(project, module=WORKER) as running:
        wait_for(lambda: "cannot be reached" in events(project))
        assert models(project)[0].unavailable
        with FakeServer(port=port):
            assert running.wait() == 0
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export


def test_others_go_on_while_one_waits(
    tmp_path: Path, data: Path, undisturbed_export: bytes
) -> None:
    slow = replace(FAST_POLICY, first_delay=60.0, longest_delay=60.0)
    with FakeServer(lambda _: error_reply(402, "pay")) as poor, FakeServer() as good:
        project = make_served_project(tmp_path / "run", data, poor, good)
        with SupervisorProcess(project, policy=slow, module=WORKER) as running:
            wait_for(lambda: "done" in sums(project) and sums(project)["done"].tasks == 3)
            output = cli_ok("status", project.folder)
            assert "served-0 waits until" in output
            assert "HTTP 402 pay" in output
            poor.behave = lambda _: None
            assert "tries served-0 again" in cli_ok("resume", project.folder)
            assert running.wait() == 0
    check_invariants(project)


def test_a_run_can_be_stopped_while_its_model_waits(project: Project, server: FakeServer) -> None:
    server.behave = lambda _: error_reply(503, "no")
    with SupervisorProcess(project, module=WORKER) as running:
        wait_for(lambda: models(project)[0].unavailable)
        cli_ok("stop", project.folder)
        assert running.wait() == 1
    check_invariants(project)
    assert sums(project)["pending"].tasks == 3


def test_what_is_refused_of_one_image_fails_that_record(
    project: Project, server: FakeServer, data: Path
) -> None:
    first, second, third = ((data / f"images/{n:06}.png").read_bytes() for n in (0, 1, 33))
    replies = {
        first: error_reply(400, "[bold]not this[/x]"),
        second: error_reply(400, "[bold]not this[/x]"),
        third: caption_reply("", "content_filter"),
    }
    for png, reply in list(replies.items()):  # what is refused is sent once more as a JPEG
        replies[jpeg_of(png)] = reply
    server.behave = lambda request: replies.get(request.image)
    assert run(project)
    done = sums(project)["done"]
    assert (done.tasks, done.captioned, done.failed) == (3, COUNT - 3, 3)
    with closing(sqlite3.connect(project.database)) as connection:
        rows = connection.execute("SELECT kind, examples FROM failure").fetchall()
    assert {kind for kind, _ in rows} == {"refused"}
    texts = "".join(examples for _, examples in rows)
    assert texts.count("HTTP 400 [bold]not this[/x]") == 2 and texts.count("content filter") == 1


def jpeg_of(png: bytes) -> bytes:
    url = as_jpeg(data_url("image/png", png))
    assert url is not None
    return base64.b64decode(url.partition(";base64,")[2])


def test_an_image_that_the_server_fails_at_every_time_costs_one_record(
    project: Project, server: FakeServer, data: Path
) -> None:
    """This holds even for the first image of all, and the run ends."""
    bad = (data / "images/000000.png").read_bytes()
    server.behave = reply_to({bad}, NONSENSE["reset"][0])
    assert run(project)
    done = sums(project)["done"]
    assert (done.captioned, done.failed) == (COUNT - 1, 1)


def test_so_does_the_last_image_of_all(
    project: Project, server: FakeServer, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other image is sent beside it, and each try takes a third of the time limit for a row."""
    monkeypatch.setenv("REQUEST_SECONDS", "1")
    bad = (data / "images/000059.png").read_bytes()
    server.behave = reply_to({bad}, NONSENSE["silent"][0])
    assert run(project)
    done = sums(project)["done"]
    assert (done.captioned, done.failed) == (COUNT - 1, 1)
    assert "worker ended" not in events(project)
    assert "waits" not in events(project)


def test_an_image_that_ends_the_server_costs_one_record(
    tmp_path: Path, data: Path, undisturbed_export: bytes
) -> None:
    """The server ends at each request for the image, and is started again each time."""
    bad = zlib.crc32((data / "images/000025.png").read_bytes())
    with CrashingServer(bad) as server:
        project = make_served_project(tmp_path / "run", data, server)
        assert run(project, "cpu:2")
    done = sums(project)["done"]
    assert (done.tasks, done.captioned, done.failed) == (3, COUNT - 1, 1)
    text = events(project)
    assert "record 5 alone (images/000025.png), 2 of 3 times" in text
    assert f"mllmaug-tui exclude {project.folder} --shard 1 --record 5 --model served-0" in text
    assert "record 5 (images/000025.png): the server stopped answering 3 times" in text
    assert failure_kinds(project) == {25: "poison"}
    assert server.deaths >= 3
    records = json.loads(undisturbed_export)
    rest = [record for record in records if record["image"] != "images/000025.png"]
    assert json.loads(exported_bytes(project)) == rest


def test_what_ends_the_server_can_be_excluded_before(tmp_path: Path, data: Path) -> None:
    bad = zlib.crc32((data / "images/000025.png").read_bytes())
    patient = replace(FAST_POLICY, server_deaths=1000)
    with CrashingServer(bad) as server:
        project = make_served_project(tmp_path / "run", data, server)
        with SupervisorProcess(project, policy=patient, module=WORKER) as running:
            wait_for(lambda: "record 5 alone" in events(project))
            cli_ok("exclude", project.folder, "--shard", "1", "--record", "5")
            assert running.wait() == 0
    check_invariants(project)
    assert (sums(project)["done"].captioned, failure_kinds(project)) == (59, {25: "excluded"})


def test_a_server_that_goes_up_and_down_fails_nothing(tmp_path: Path) -> None:
    count = 40
    make_captions(tmp_path / "data", count)
    with CrashingServer(life=7) as server:
        project = make_served_project(tmp_path / "run", tmp_path / "data", server)
        assert run(project, "cpu:2")
    assert server.deaths >= 3
    assert "the server stopped answering" in events(project)
    assert (sums(project)["done"].captioned, failure_kinds(project)) == (count, {})


def test_a_worker_killed_with_requests_in_flight(
    project: Project, server: FakeServer, undisturbed_export: bytes
) -> None:
    killed = hold_from(server, 10)
    with SupervisorProcess(project, policy=FAST_POLICY, module=WORKER) as running:
        wait_for(lambda: len(server.requests) > 10)
        for pid in running.workers():
            assert "torch" not in Path(f"/proc/{pid}/maps").read_text()
            os.kill(pid, signal.SIGKILL)
        killed.set()
        assert running.wait() == 0
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export
