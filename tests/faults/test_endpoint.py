"""Servers that are down, slow, out of quota or talk nonsense: no record fails for it."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import time
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from db import progress, projects
from db.connection import reading
from db.rows import ModelRow
from engine.captioners.registry import choose
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.supervisor.main import supervise
from tests.faults.support.forked import HASTY, Supervising
from tests.faults.support.invariants import check_invariants
from tests.faults.support.mortal import Mortal
from tests.faults.support.projects import events, exported, sums
from tests.faults.support.servers import Asked, Reply, Server, answer, refusal
from tests.support.cli import cli_ok
from tests.support.pictures import draw, make_captions
from tests.support.waiting import wait_for

WORKER = "tests.faults.support.asking"
COUNT = 60
KEY = "sk-a-key-that-must-not-be-seen"


@pytest.fixture
def server():
    with Server() as started:
        yield started


@pytest.fixture
def project(tmp_path, data, server) -> Project:
    return make(tmp_path / "run", data, server)


def make(folder, data, *servers: Server | Mortal, batch: int = 8, **changes: str) -> Project:
    models = [
        choose(f"served-{n}={it.address}", changes={"batch": str(batch)} | changes)
        for n, it in enumerate(servers)
    ]
    return create(folder, NewProject([data / "captions.json"], models, shard_size=20)).project


def models(project: Project) -> list[ModelRow]:
    with reading(project.database) as connection:
        return list(projects.models(connection))


def run(project: Project, devices: str = "cpu", policy=HASTY) -> bool:
    finished = supervise(project, devices, policy, module=WORKER)
    check_invariants(project)
    return finished


@pytest.fixture(autouse=True)
def little_patience_with_silence(request, monkeypatch):
    """Other answers may take their time where many tests run."""
    if "[silent]" in request.node.name:
        monkeypatch.setenv("REQUEST_SECONDS", "1")


HTML = Reply(body=b"<html>It works!</html>", kind="text/html")
GOOD = answer("a caption that must not be taken")
NONSENSE = {
    "html": (HTML, "answers nonsense: an answer of type 'text/html'"),
    "html as json": (replace(HTML, kind="application/json"), "answers nonsense: no JSON"),
    "json as html": (replace(GOOD, kind="text/html"), "an answer of type 'text/html'"),
    "no content type": (replace(GOOD, kind=""), "an answer of type ''"),
    "a list": (Reply(body=b"[]"), "answers nonsense: no JSON object"),
    "empty choices": (Reply(body=b'{"choices": []}'), "answers nonsense: no choices"),
    "no message": (Reply(body=b'{"choices": [{}]}'), "answers nonsense: no choices"),
    "no text": (answer(None), "answers nonsense: no text"),
    "a number of text": (answer(7), "answers nonsense: no text"),
    "nothing": (Reply(body=b""), "answers nonsense: no JSON"),
    "cut": (replace(GOOD, way="cut"), "broke off"),
    "reset": (Reply(way="reset"), "broke off"),
    "endless": (Reply(body=b"x", way="endless"), "answers without end"),
    "silent": (Reply(way="silent"), "does not answer within 1 s"),
    "204": (Reply(204), "answers nonsense: HTTP 204"),
    "redirect": (Reply(302, headers={"Location": "http://example.com"}), "HTTP 302"),
    "500": (refusal(500, "a bug"), "HTTP 500 a bug"),
    "502": (Reply(502, b"<html>bad gateway</html>", kind="text/html"), "HTTP 502"),
    "503": (refusal(503, "loading"), "HTTP 503 loading"),
    "429": (refusal(429, "slowly"), "HTTP 429 slowly"),
    "429 for long": (refusal(429, "slowly", retry_after="1"), "HTTP 429 slowly"),
    "quota": (refusal(429, "pay", "insufficient_quota"), "out of quota: HTTP 429 pay"),
    "402": (refusal(402, "pay"), "HTTP 402 pay"),
    "401": (refusal(401, "wrong key"), "HTTP 401 wrong key (the key is taken from"),
    "403": (refusal(403, "not you"), "HTTP 403 not you (the key is taken from"),
    "404": (refusal(404, "no such model"), "HTTP 404 no such model; it serves tiny"),
    "400 to everything": (refusal(400, "no images"), "refuses whatever it is asked: HTTP 400"),
    "413 to everything": (refusal(413, "too large"), "refuses whatever it is asked: HTTP 413"),
}


@pytest.mark.parametrize("way", NONSENSE)
def test_what_is_wrong_with_a_server_fails_no_record(project, server, undisturbed, way):
    """It misbehaves until the model was said to wait, from the sixth request on."""
    reply, said = NONSENSE[way]
    waited = Event()  # once and for all: a model that captions again waits no more

    def behave(asked: Asked) -> Reply | None:
        if not waited.is_set() and models(project)[0].not_before:
            waited.set()
        return None if waited.is_set() or asked.number <= 5 else reply

    server.behave = behave
    assert run(project)
    assert said in events(project)
    assert "captions again" in events(project)
    assert exported(project) == undisturbed
    (model,) = models(project)
    assert (model.unavailable, model.blocked, model.load_failures) == (None, None, 0)


@pytest.mark.parametrize("way", ["html", "cut", "reset", "500", "503", "429", "empty choices"])
def test_a_server_that_fails_now_and_then(project, server, undisturbed, way):
    server.behave = lambda asked: NONSENSE[way][0] if asked.number % 2 else None
    assert run(project)
    assert exported(project) == undisturbed


def test_a_server_that_is_down_at_the_start_and_comes(tmp_path, data, undisturbed):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    server = Server(port=port)
    server.server_close()
    project = make(tmp_path / "run", data, server)
    with Supervising(project, module=WORKER) as running:
        wait_for(lambda: "cannot be reached" in events(project))
        assert models(project)[0].unavailable
        with Server(port=port):
            assert running.wait() == 0
    check_invariants(project)
    assert exported(project) == undisturbed


def test_a_server_that_is_restarted_in_the_middle(project, server, undisturbed):
    """In this process: a forked supervisor would keep the port open."""
    server.seconds = 0.02
    second: list[Server] = []

    def restart() -> None:
        wait_for(lambda: len(server.asked) > 20)
        server.behave = lambda _: Reply(way="reset")
        server.shutdown()
        server.server_close()
        wait_for(lambda: models(project)[0].unavailable)
        second.append(Server(port=server.server_port).__enter__())

    restarting = Thread(target=restart)
    restarting.start()
    assert run(project)
    restarting.join()
    second[0].__exit__()
    assert "cannot be reached" in events(project)
    assert exported(project) == undisturbed


def test_others_go_on_while_one_waits(tmp_path, data, undisturbed):
    slow = replace(HASTY, first_delay=60.0, longest_delay=60.0)
    with Server(lambda _: refusal(402, "pay")) as poor, Server() as good:
        project = make(tmp_path / "run", data, poor, good)
        with Supervising(project, policy=slow, module=WORKER) as running:
            wait_for(lambda: "done" in sums(project) and sums(project)["done"].tasks == 3)
            said = cli_ok("status", project.folder)
            assert "served-0 waits until" in said
            assert "HTTP 402 pay" in said
            poor.behave = lambda _: None
            assert "asks served-0 again" in cli_ok("resume", project.folder)
            assert running.wait() == 0
    check_invariants(project)


def test_a_retry_wakes_a_model_that_waits(project, server):
    server.behave = lambda _: refusal(403, "no")
    policy = replace(HASTY, first_delay=60.0, longest_delay=60.0)
    with Supervising(project, policy=policy, module=WORKER) as running:
        wait_for(lambda: models(project)[0].unavailable)
        server.behave = lambda _: None
        cli_ok("retry", project.folder, "--shard", "0")
        assert running.wait() == 0
    check_invariants(project)


def test_a_run_can_be_stopped_while_its_model_waits(project, server):
    server.behave = lambda _: refusal(503, "no")
    with Supervising(project, module=WORKER) as running:
        wait_for(lambda: models(project)[0].unavailable)
        cli_ok("stop", project.folder)
        assert running.wait() == 1
    check_invariants(project)
    assert sums(project)["pending"].tasks == 3


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_is_refused_of_one_image_fails_that_record(project, server, data, status):
    bad = {(data / f"images/{n:06}.png").read_bytes() for n in (0, 1, 33)}
    server.behave = lambda a: refusal(status, "[bold]not this[/x]") if a.image in bad else None
    assert run(project)
    done = sums(project)["done"]
    assert (done.tasks, done.captioned, done.failed) == (3, COUNT - 3, 3)
    with closing(sqlite3.connect(project.database)) as connection:
        rows = connection.execute("SELECT kind, examples FROM failure").fetchall()
    assert {kind for kind, _ in rows} == {"refused"}
    assert all(f"HTTP {status} [bold]not this[/x]" in examples for _, examples in rows)


def test_the_content_filter_is_a_refusal(project, server, data):
    bad = (data / "images/000005.png").read_bytes()
    server.behave = lambda a: answer("", "content_filter") if a.image == bad else None
    assert run(project)
    assert sums(project)["done"].failed == 1


@pytest.mark.parametrize("way", ["html", "500", "reset"])
def test_an_image_that_the_server_fails_at_every_time_costs_one_record(project, server, data, way):
    """Also where it is the first to be asked about, and the run comes to its end."""
    bad = (data / "images/000000.png").read_bytes()
    server.behave = lambda a: NONSENSE[way][0] if a.image == bad else None
    assert run(project)
    done = sums(project)["done"]
    assert (done.captioned, done.failed) == (COUNT - 1, 1)


@pytest.mark.parametrize("way", ["silent", "500"])
def test_so_does_the_last_image_of_all(project, server, data, way):
    """No other is asked about beside it, and each try takes a third of what counts as hung."""
    bad = (data / "images/000059.png").read_bytes()

    def behave(asked: Asked) -> Reply | None:
        if asked.image != bad:
            return None
        if way == "500":
            time.sleep(0.5)
        return NONSENSE[way][0]

    server.behave = behave
    assert run(project)
    done = sums(project)["done"]
    assert (done.captioned, done.failed) == (COUNT - 1, 1)
    assert "worker ended" not in events(project)
    assert "waits" not in events(project)


@pytest.mark.parametrize("devices", ["cpu", "cpu:2"])
def test_an_image_that_ends_the_server_costs_one_record(tmp_path, data, undisturbed, devices):
    """Whoever starts it again, as it does here: the server ends each time it is asked about it."""
    bad = zlib.crc32((data / "images/000025.png").read_bytes())
    with Mortal(bad) as server:
        project = make(tmp_path / "run", data, server)
        assert run(project, devices)
    done = sums(project)["done"]
    assert (done.tasks, done.captioned, done.failed) == (3, COUNT - 1, 1)
    said = events(project)
    assert "record 5 alone (images/000025.png), 2 of 3 times" in said
    assert f"mllmaug-tui exclude {project.folder} --shard 1 --record 5 --model served-0" in said
    assert "record 5 (images/000025.png): the server went away 3 times" in said
    assert not_captioned(project) == {25: "poison"}
    assert server.deaths >= 3
    rest = [it for it in json.loads(undisturbed) if it["image"] != "images/000025.png"]
    assert json.loads(exported(project)) == rest


def test_so_does_the_only_one_that_is_left(tmp_path, data):
    """No other record is answered in between: our own picture is."""
    bad = zlib.crc32((data / "images/000000.png").read_bytes())
    records = [{"image": str(data / "images/000000.png"), "caption": "x"}]
    (tmp_path / "captions.json").write_text(json.dumps(records))
    with Mortal(bad) as server:
        wanted = NewProject([tmp_path / "captions.json"], [choose(f"s={server.address}")])
        project = create(tmp_path / "run", wanted).project
        assert run(project)
    assert (sums(project)["done"].failed, not_captioned(project)) == (1, {0: "poison"})


def test_what_ends_the_server_can_be_excluded_before(tmp_path, data):
    bad = zlib.crc32((data / "images/000025.png").read_bytes())
    patient = replace(HASTY, server_deaths=1000)
    with Mortal(bad) as server:
        project = make(tmp_path / "run", data, server)
        with Supervising(project, policy=patient, module=WORKER) as running:
            wait_for(lambda: "record 5 alone" in events(project))
            cli_ok("exclude", project.folder, "--shard", "1", "--record", "5")
            assert running.wait() == 0
    check_invariants(project)
    assert (sums(project)["done"].captioned, not_captioned(project)) == (59, {25: "excluded"})


def test_a_server_that_goes_up_and_down_fails_nothing(tmp_path):
    count = 140
    make_captions(tmp_path / "data", count)
    with Mortal(life=12) as server:
        project = make(tmp_path / "run", tmp_path / "data", server)
        assert run(project, "cpu:2")
    assert server.deaths >= 5
    assert "the server went away" in events(project)
    assert (sums(project)["done"].captioned, not_captioned(project)) == (count, {})


def not_captioned(project: Project) -> dict[int, str]:
    """Records, counted through all shards, and why."""
    with reading(project.database) as connection:
        rows, tasks = progress.failures(connection), projects.tasks(connection)
    shard = {task.id: task.shard for task in tasks}
    return {20 * shard[row.task_id] + i: row.kind for row in rows for i, _ in row.examples}


def test_answers_in_any_order_are_for_their_own_images(tmp_path, data, server, undisturbed):
    def behave(_: Asked) -> None:
        time.sleep(random.random() / 10)

    server.behave = behave
    project = make(tmp_path / "run", data, server, batch=32)
    assert run(project, "cpu:2")
    assert exported(project) == undisturbed


def test_a_worker_killed_with_requests_in_flight(project, server, undisturbed):
    server.seconds = 0.05
    with Supervising(project, module=WORKER) as running:
        wait_for(lambda: len(server.asked) > 10)
        for pid in running.workers():
            assert "torch" not in Path(f"/proc/{pid}/maps").read_text()
            os.kill(pid, signal.SIGKILL)
        assert running.wait() == 0
    check_invariants(project)
    assert exported(project) == undisturbed


def test_a_pause_takes_the_requests_back(project, server, undisturbed):
    server.seconds = 0.3
    with Supervising(project, module=WORKER) as running:
        wait_for(lambda: len(server.asked) > 4)
        cli_ok("pause", project.folder)
        server.seconds = 0.0
        cli_ok("resume", project.folder)
        assert running.wait() == 0
    check_invariants(project)
    assert exported(project) == undisturbed


def test_corrupt_and_missing_images_fail_as_anywhere(tmp_path, server):
    for number in range(4):
        draw(tmp_path / f"{number}.png", number)
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    (tmp_path / "2.png").unlink()
    records = [{"image": f"{n}.png", "caption": "x"} for n in range(4)]
    (tmp_path / "captions.json").write_text(json.dumps(records))
    wanted = NewProject([tmp_path / "captions.json"], [choose(f"s={server.address}")])
    project = create(tmp_path / "run", replace(wanted, allow_missing=True)).project
    assert run(project)
    done = sums(project)["done"]
    assert (done.captioned, done.failed) == (2, 2)


def test_the_key_is_sent_and_nowhere_kept(project, server, monkeypatch):
    monkeypatch.setenv("MLLMAUG_API_KEY", KEY)
    server.behave = lambda a: refusal(401, f"wrong key: {a.key}") if a.number == 3 else None
    assert run(project)
    assert {each.key for each in server.asked} == {f"Bearer {KEY}"}
    assert "wrong key: Bearer ***" in events(project)
    for path in project.folder.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


def test_a_key_that_no_header_can_hold_is_not_shown(project, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nX: y")
    with Supervising(project, module=WORKER):
        wait_for(lambda: "OPENAI_API_KEY holds characters" in events(project))
    for path in project.folder.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path
    assert not server.asked
