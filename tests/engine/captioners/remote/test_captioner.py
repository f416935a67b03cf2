"""The captioner of a server: what it sends, and how it reads and counts what comes back."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.captioners.api_keys import KeySource
from engine.captioners.base import Caption, ServerUnavailable
from engine.captioners.registry import FAMILIES, Settings, choose
from engine.captioners.remote.captioner import EndpointCaptioner
from engine.captioners.remote.chat_request import record_seed
from engine.images.image import ImageProblem, Picture, open_image
from tests.engine.captioners.remote.conftest import HASTY, SETTINGS
from tests.faults.support.fake_server import (
    FakeServer,
    Reply,
    caption_reply,
    error_reply,
)
from tests.faults.support.misbehaving_engine import processes
from tests.support.cli import cli, cli_ok
from tests.support.pictures import draw_picture, make_captions
from tests.support.waiting import wait_for

# What is sent


def test_prompt_cap_temperature_and_seed_are_sent(
    make: Callable[..., Any], server: FakeServer, picture: Picture
) -> None:
    captioner = make(prompt="Say it.", max_new_tokens=17, temperature=0.7, top_p=0.9, seed=3)
    captioner.caption([captioner.prepare(picture)] * 2, [10, 11])
    first, second = (each.body for each in server.requests)
    assert first["messages"][0]["content"][1] == {"type": "text", "text": "Say it."}
    assert (first["model"], first["max_tokens"]) == ("tiny", 17)
    assert (first["temperature"], first["top_p"], first["stream"]) == (0.7, 0.9, False)
    assert {first["seed"], second["seed"]} == {
        record_seed(3, 10),
        record_seed(3, 11),
    }
    assert first["seed"] != second["seed"]
    assert 0 <= first["seed"] < 2**31


def test_no_top_p_and_no_key_are_sent_where_there_are_none(
    make: Callable[..., Any], server: FakeServer, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLLMAUG_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "sk-secret")
    captioner = make()
    captioner.caption([captioner.prepare(picture)], [0])
    assert "top_p" not in server.requests[0].body
    assert server.requests[0].key is None


def test_a_redirect_takes_neither_key_nor_image_elsewhere(
    server: FakeServer, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "sk-secret")
    with FakeServer() as other:
        for status in (301, 302, 307, 308):
            place = f"{other.address}/chat/completions"
            moved = error_reply(status, "moved", location=place)
            server.behave = lambda _, moved=moved: moved  # type: ignore[misc]
            key = KeySource(("A_KEY",))
            with (
                closing(EndpointCaptioner(server.address, SETTINGS, HASTY, key)) as captioner,
                pytest.raises(ServerUnavailable, match=f"HTTP {status}"),
            ):
                captioner.caption([captioner.prepare(picture)], [0])
        assert not other.requests
    assert {request.key for request in server.requests} == {"Bearer sk-secret"}


def test_a_server_that_names_its_models_like_the_key_does_not_show_it(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "sk-secret")
    server.models = ["sk-secret", "b"]
    with pytest.raises(ServerUnavailable) as caught:
        EndpointCaptioner(server.address, SETTINGS, HASTY, KeySource(("A_KEY",)))
    assert "sk-secret" not in str(caught.value)


def test_a_damaged_image_fails_before_it_is_sent(
    tmp_path: Path, make: Callable[..., Any], server: FakeServer
) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ImageProblem):
        make().prepare(open_image(str(path)))
    assert not server.requests


# What comes back


def test_finish_and_tokens_are_the_servers(
    make: Callable[..., Any], server: FakeServer, picture: Picture
) -> None:
    captioner = make()
    replies = {1: ("Cut", "length", 30), 2: ("So", "stop", 0), 3: ("Whole.", "eos", 4)}
    server.behave = lambda request: caption_reply(*replies[request.number])
    captions = [captioner.caption([captioner.prepare(picture)], [n])[0] for n in range(3)]
    assert [(it.raw, it.finish, it.tokens) for it in captions] == [
        ("Cut", "length", 30),
        ("So", "stop", 0),
        ("Whole.", "stop", 4),
    ]


def test_usage_may_be_left_out(
    make: Callable[..., Any], server: FakeServer, picture: Picture
) -> None:
    body = b'{"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}'
    server.behave = lambda _: Reply(body=body)
    captioner = make()
    assert captioner.caption([captioner.prepare(picture)], [0])[0].tokens == 0


def test_a_server_of_several_models_must_be_told_which(
    make: Callable[..., Any], server: FakeServer
) -> None:
    server.models = ["one", "two"]
    with pytest.raises(ServerUnavailable, match="serves one, two: name the model"):
        make()
    assert make(served_model="two").model == "two"
    server.models = []
    with pytest.raises(ServerUnavailable, match="serves no model"):
        make()
    server.listing = error_reply(404)
    with pytest.raises(ServerUnavailable, match="does not say what it serves"):
        make()
    server.listing = error_reply(500)
    assert make(served_model="two").model == "two"
    server.listing = error_reply(401)
    with pytest.raises(ServerUnavailable, match="HTTP 401"):
        make(served_model="two")


def test_answers_keep_the_order_of_what_was_asked(
    make: Callable[..., Any], server: FakeServer, tmp_path: Path
) -> None:
    captioner = make()
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for number, path in enumerate(paths):
        draw_picture(path, number)
    pictures = [open_image(str(path)) for path in paths]
    server.behave = lambda _: time.sleep(random.random() / 20)
    captions = captioner.caption([captioner.prepare(it) for it in pictures], range(40))
    assert all(f"{it.crc32:08x}" in c.raw for it, c in zip(pictures, captions, strict=True))


def test_retry_after_is_heeded(
    make: Callable[..., Any], server: FakeServer, picture: Picture
) -> None:
    server.behave = lambda request: (
        error_reply(429, retry_after="1") if request.number == 1 else None
    )
    captioner = make()
    captioner.caption([captioner.prepare(picture)], [0])
    first, second = server.requests
    assert second.received_at - first.received_at >= 1


# How many at a time


def test_a_server_with_a_limit_is_kept_busy_and_loses_nothing(
    make: Callable[..., Any], server: FakeServer, picture: Picture
) -> None:
    server.delay_seconds = 0.02
    server.behave = lambda _: error_reply(429) if server.in_flight > 10 else None
    captioner = make(batch=32)
    captions = captioner.caption([captioner.prepare(picture)] * 150, range(150))
    assert len(captions) == 150
    assert server.max_in_flight > 4
    refused = len(server.requests) - 150
    assert refused < 100


# The doctor


def test_the_doctor_asks_the_server(server: FakeServer) -> None:
    output = cli_ok("doctor", "--model", f"tiny={server.address}")
    assert f"{server.address} is asked for 'tiny'" in output
    assert "of a red disc over a blue bar it says '320x240 RGB image" in output


def test_the_doctor_says_what_is_wrong(server: FakeServer, tmp_path: Path) -> None:
    make_captions(tmp_path, 2)
    model = f"tiny={server.address}"
    cli_ok("new", tmp_path / "run", tmp_path / "captions.json", "--model", model)
    assert f"{server.address} is asked for 'tiny'" in cli_ok("doctor", tmp_path / "run")
    server.behave = lambda _: error_reply(400, "I see no images")
    done = cli("doctor", "--model", model)
    assert done.returncode == 1
    assert "refuses every request: HTTP 400 I see no images" in done.stdout
    wait_for(lambda: "requests" not in {thread.name for thread in threading.enumerate()})
    server.listing = error_reply(401)
    done = cli("doctor", tmp_path / "run")
    assert done.returncode == 1
    assert "HTTP 401" in done.stdout


# A real server


@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("fastapi", "uvicorn", "openai")),
    reason="`transformers serve` needs the extra `serving`",
)
def test_transformers_serve_says_what_the_model_says_here(tmp_path: Path) -> None:
    """With a tiny random LLaVA, greedy, a server that a run starts captions as `hf` does."""
    from tests.engine.captioners.families.test_hf import llava, save

    folder = save(llava, tmp_path / "tiny")
    make_captions(tmp_path, 12)
    images = [tmp_path / f"images/{number:06}.png" for number in range(12)]
    for number, image in enumerate(images):
        Image.effect_noise((56, 42), 20 + 10 * number).convert("RGB").save(image)
    asked = {"prompt": "Say it.", "max_new_tokens": "6"}
    changes = asked | {"backend": "transformers", "arguments": "--dtype float32"}
    options = [f"--set=served.{key}={value}" for key, value in changes.items()]
    model = f"served=server:{folder}"
    cli_ok("new", tmp_path / "run", tmp_path / "captions.json", "--model", model, *options)
    cli_ok("run", tmp_path / "run", "--devices", "cpu")
    wait_for(lambda: not processes(folder))
    (log,) = (tmp_path / "run/captions").glob("*/00000.jsonl")
    rows = [json.loads(line) for line in log.read_bytes().splitlines()]
    settings = Settings.of(choose(f"hf={folder}", changes=asked | {"dtype": "float32"}).settings)
    hf = FAMILIES["hf"].load(str(folder), settings, "cpu")
    inputs = [hf.prepare(open_image(str(image))) for image in images]
    captions = dict(enumerate(hf.answer_each(inputs, range(12))))
    expected = {i: it.raw for i, it in captions.items() if isinstance(it, Caption)}
    assert len(expected) > 6
    assert {row["i"]: row["raw"] for row in rows if "raw" in row} == expected
