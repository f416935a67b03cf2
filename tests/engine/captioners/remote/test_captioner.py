"""`endpoint`: what it sends, how it reads answers, and how many requests it finds right."""

from __future__ import annotations

import base64
import io
import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import replace
from email.utils import formatdate
from importlib.util import find_spec

import pytest
from PIL import Image

from engine.captioners.base import Unavailable
from engine.captioners.registry import FAMILIES, choose, choose_all
from engine.captioners.remote import captioner as endpoint
from engine.captioners.remote.client import Patience, retry_after
from engine.captioners.remote.concurrency import Window
from engine.images.image import ImageProblem, open_image
from engine.utils.errors import BadInput
from tests.faults.support.servers import Reply, Server, answer, refusal
from tests.support.cli import cli, cli_ok
from tests.support.pictures import draw, make_captions
from tests.support.waiting import wait_for
from tui.dialogs.wizard.models import what_is_wrong

SETTINGS = FAMILIES["endpoint"].presets["paper"]
HASTY = Patience(connect=1, request=2, first_pause=0.01, longest_pause=0.05, failing=0.3)


@pytest.fixture
def server():
    with Server() as started:
        yield started


@pytest.fixture
def picture(tmp_path):
    draw(tmp_path / "a.png", 7)
    return open_image(str(tmp_path / "a.png"))


@pytest.fixture
def make(server):
    made = []

    def captioner(patience=HASTY, **settings):
        made.append(endpoint.Endpoint(server.address, replace(SETTINGS, **settings), patience))
        return made[-1]

    yield captioner
    for each in made:
        each.close()


# Names and addresses


def test_an_address_chooses_the_family_and_its_name_is_free():
    chosen = choose_all(
        ["qwen2.5-vl=http://localhost:8000/v1/", "b=https://host/v1"],
        None,
        ["qwen2.5-vl.prompt=Say it.", "b.served_model=org/model"],
    )
    assert [(it.name, it.family, it.checkpoint) for it in chosen] == [
        ("qwen2.5-vl", "endpoint", "http://localhost:8000/v1"),
        ("b", "endpoint", "https://host/v1"),
    ]
    assert chosen[0].settings["prompt"] == "Say it."
    assert chosen[1].settings["served_model"] == "org/model"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("a=http://user:secret@host/v1", "MLLMAUG_API_KEY"),
        ("a=http://secret@host/v1", "MLLMAUG_API_KEY"),
        ("a=http://host/v1?key=secret", "must end before '?'"),
        ("a=http://host/v1#secret", "must end before '?'"),
        ("a=http://", "no server's address"),
        ("a=http://host:99999/v1", "no server's address"),
        ("a=http://[host/v1", "no server's address"),
        ("a=http://host/v1/chat/completions", "as far as /v1"),
        ("../a=http://host/v1", "cannot name a model"),
        (".=http://host/v1", "cannot name a model"),
        ("=http://host/v1", "cannot name a model"),
        ("endpoint", "needs a checkpoint"),
        ("endpoint=folder", "no server's address"),
        ("a=folder", "or with a server's address"),
        ("dry-run=folder", "takes no checkpoint"),
    ],
)
def test_what_is_no_address_is_refused_and_no_password_repeated(tmp_path, model, said):
    make_captions(tmp_path, 2)
    done = cli("new", tmp_path / "run", tmp_path / "captions.json", "--model", model)
    assert done.returncode == 2
    assert said in done.stderr
    assert "secret" not in done.stderr + done.stdout
    assert not (tmp_path / "run").exists()


def test_settings_that_a_server_has_not_are_refused():
    with pytest.raises(BadInput, match="no setting 'dtype'"):
        choose("a=http://host/v1", changes={"dtype": "float32"})
    with pytest.raises(BadInput, match="served_model"):
        choose("a=http://host/v1", changes={"served_model": ""})


def test_a_server_that_moved_keeps_its_captions_if_its_model_is_named():
    def hashed(address: str, **changes: str) -> str:
        return choose(f"a={address}", changes=changes).settings_hash

    one, two = "http://one/v1", "http://two/v1"
    assert hashed(one) != hashed(two)
    assert hashed(one, served_model="m") == hashed(two, served_model="m")
    assert hashed(one, served_model="m") != hashed(one, served_model="n")
    assert hashed(one) == hashed(one, batch="3")
    assert hashed(one) != hashed(one, prompt="Else.")


def test_the_wizard_takes_an_address():
    assert what_is_wrong("endpoint", "http://localhost:8000/v1") is None
    assert "no server's address" in (what_is_wrong("endpoint", "/some/folder") or "")
    assert "address of a server" in (what_is_wrong("endpoint", "") or "")


def test_models_lists_it():
    assert "endpoint: any OpenAI-compatible server" in cli_ok("models")


def test_a_worker_that_asks_a_server_loads_no_torch():
    code = (
        "import sys, engine.worker.worker, engine.captioners.remote.captioner; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers"} & set(done.stdout.split())


# What is sent


def test_prompt_cap_temperature_and_seed_are_sent(make, server, picture):
    captioner = make(prompt="Say it.", max_new_tokens=17, temperature=0.7, top_p=0.9, seed=3)
    captioner.caption([captioner.prepare(picture)] * 2, [10, 11])
    first, second = (each.wanted for each in server.asked)
    assert first["messages"][0]["content"][1] == {"type": "text", "text": "Say it."}
    assert (first["model"], first["max_tokens"]) == ("tiny", 17)
    assert (first["temperature"], first["top_p"], first["stream"]) == (0.7, 0.9, False)
    assert {first["seed"], second["seed"]} == {endpoint.seed_of(3, 10), endpoint.seed_of(3, 11)}
    assert first["seed"] != second["seed"]
    assert 0 <= first["seed"] < 2**31


def test_no_top_p_and_no_key_are_sent_where_there_are_none(make, server, picture, monkeypatch):
    for name in ("MLLMAUG_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    captioner = make()
    captioner.caption([captioner.prepare(picture)], [0])
    assert "top_p" not in server.asked[0].wanted
    assert server.asked[0].key is None


@pytest.mark.parametrize(
    ("format", "mode", "media_type"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "L", "image/jpeg"),
        ("PNG", "RGBA", "image/png"),
        ("PNG", "P", "image/png"),
        ("WEBP", "RGB", "image/webp"),
        ("GIF", "P", "image/gif"),
    ],
)
def test_what_every_server_reads_is_sent_as_it_lies(
    tmp_path, make, server, format, mode, media_type
):
    path = tmp_path / "image"
    Image.new("RGB", (40, 30), "teal").convert(mode).save(path, format)
    captioner = make()
    captioner.caption([captioner.prepare(open_image(str(path)))], [0])
    assert server.asked[0].image == path.read_bytes()
    assert server.asked[0].media_type == media_type


@pytest.mark.parametrize(
    ("format", "mode", "colour"),
    [
        ("TIFF", "RGB", (0, 128, 128)),
        ("BMP", "RGB", (0, 128, 128)),
        ("JPEG", "CMYK", (255, 127, 127, 0)),
        ("PNG", "I;16", 32768),
        ("PNG", "1", 1),
    ],
)
def test_the_rest_is_sent_as_a_jpeg_of_the_same_pixels(tmp_path, format, mode, colour):
    path = tmp_path / "image"
    Image.new(mode, (40, 30), colour).save(path, format)
    sent = sent_image(path)
    assert (sent.format, sent.mode, sent.size) == ("JPEG", "RGB", (40, 30))
    expected = open_image(str(path)).rgb().getpixel((5, 5))
    assert all(abs(a - b) < 6 for a, b in zip(sent.getpixel((5, 5)), expected, strict=True))


def test_a_large_file_is_sent_smaller(tmp_path, monkeypatch):
    monkeypatch.setattr(endpoint, "MOST_BYTES", 1000)
    path = tmp_path / "large.png"
    Image.effect_noise((3000, 1500), 50).convert("RGB").save(path)
    assert sent_image(path).size == (2048, 1024)


def sent_image(path) -> Image.Image:
    captioner = object.__new__(endpoint.Endpoint)
    url = captioner.prepare(open_image(str(path)))
    kind, _, data = url.partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_damaged_image_fails_before_it_is_sent(tmp_path, make, server):
    path = tmp_path / "a.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ImageProblem):
        make().prepare(open_image(str(path)))
    assert not server.asked


# What comes back


def test_finish_and_tokens_are_the_servers(make, server, picture):
    captioner = make()
    said = {1: ("Cut", "length", 30), 2: ("", "stop", 0), 3: ("Whole.", "eos", 4)}
    server.behave = lambda asked: answer(*said[asked.number])
    found = [captioner.caption([captioner.prepare(picture)], [n])[0] for n in range(3)]
    assert [(it.raw, it.finish, it.tokens) for it in found] == [
        ("Cut", "length", 30),
        ("", "stop", 0),
        ("Whole.", "stop", 4),
    ]


def test_usage_may_be_left_out(make, server, picture):
    body = b'{"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}'
    server.behave = lambda _: Reply(body=body)
    captioner = make()
    assert captioner.caption([captioner.prepare(picture)], [0])[0].tokens == 0


def test_a_server_of_several_models_must_be_told_which(make, server):
    server.serves = ["one", "two"]
    with pytest.raises(Unavailable, match="serves one, two: name the model"):
        make()
    assert make(served_model="two").model == "two"
    server.serves = []
    with pytest.raises(Unavailable, match="serves no model"):
        make()
    server.listing = refusal(404)
    with pytest.raises(Unavailable, match="does not say what it serves"):
        make()
    server.listing = refusal(500)
    assert make(served_model="two").model == "two"
    server.listing = refusal(401)
    with pytest.raises(Unavailable, match="HTTP 401"):
        make(served_model="two")


def test_answers_keep_the_order_of_what_was_asked(make, server, tmp_path):
    captioner = make()
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for number, path in enumerate(paths):
        draw(path, number)
    pictures = [open_image(str(path)) for path in paths]
    captions = captioner.caption([captioner.prepare(it) for it in pictures], range(40))
    assert all(f"{it.crc32:08x}" in c.raw for it, c in zip(pictures, captions, strict=True))


def test_retry_after_is_seconds_or_a_date():
    assert retry_after("7") == 7
    assert retry_after("-3") == 0
    assert 50 < (retry_after(formatdate(time.time() + 60, usegmt=True)) or 0) < 70
    assert retry_after(formatdate(time.time() - 60, usegmt=True)) == 0
    assert [retry_after(text) for text in (None, "", "soon", "nan")] == [None] * 4


def test_retry_after_is_heeded(make, server, picture):
    server.behave = lambda a: refusal(429, retry_after="1") if a.number == 1 else None
    captioner = make()
    captioner.caption([captioner.prepare(picture)], [0])
    first, second = server.asked
    assert second.at - first.at >= 1


@pytest.mark.parametrize("every", [2, 3])
def test_a_server_that_fails_every_so_many_times_fails_no_record(make, server, picture, every):
    """Each record as if it had been tried in vain before; 1 in 200 failed when our own picture was
    asked about once or twice."""
    server.behave = lambda asked: refusal(500) if asked.number % every == 1 else None
    captioner = make(replace(HASTY, first_pause=0.0, longest_pause=0.0, tries=1))
    image = captioner.prepare(picture)
    for record in range(350):
        random.seed(record)  # not by luck
        server.asked.clear()
        assert captioner.caption([image], [record])


# How many at a time


def rounds(window: Window, seconds_of, count: int) -> None:
    """Answers as a server gives them that takes `seconds_of(requests in flight)`."""
    for _ in range(count):
        window.answered(0.0, seconds_of(window.limit))


def test_more_requests_while_they_pay():
    window = Window(64)
    rounds(window, lambda _: 1.0, 200)
    assert window.limit == 64


def test_a_server_that_answers_one_after_the_other_gets_few():
    window = Window(64)
    rounds(window, lambda flying: float(flying), 5000)
    assert window.limit < 16


def test_as_many_as_a_server_takes_at_once():
    window = Window(256)
    rounds(window, lambda flying: max(1.0, flying / 16), 20_000)
    assert 16 <= window.limit <= 48


def test_trouble_halves_once_for_all_that_were_under_way():
    window = Window(64)
    rounds(window, lambda _: 1.0, 200)
    for _ in range(40):
        window.congested(began=5.0, now=6.0)
    assert window.limit == 32
    window.congested(began=7.0, now=8.0)
    assert window.limit == 16
    rounds(window, lambda _: 1.0, 16)
    assert window.limit == 17
    for number in range(20):
        window.congested(began=10.0 + number, now=10.5 + number)
    assert window.limit == 1


def test_a_server_with_a_limit_is_kept_busy_and_loses_nothing(make, server, picture):
    server.seconds = 0.02
    server.behave = lambda _: refusal(429) if server.in_flight > 10 else None
    captioner = make(batch=32)
    captions = captioner.caption([captioner.prepare(picture)] * 300, range(300))
    assert len(captions) == 300
    assert server.most > 4
    refused = len(server.asked) - 300
    assert refused < 150


# The doctor


def test_the_doctor_asks_the_server(server):
    said = cli_ok("doctor", "--model", f"tiny={server.address}")
    assert f"{server.address} is asked for 'tiny'" in said
    assert "of a red disc over a blue bar it says '320x240 RGB image" in said


def test_the_doctor_says_what_is_wrong(server, tmp_path):
    make_captions(tmp_path, 2)
    model = f"tiny={server.address}"
    cli_ok("new", tmp_path / "run", tmp_path / "captions.json", "--model", model)
    assert f"{server.address} is asked for 'tiny'" in cli_ok("doctor", tmp_path / "run")
    server.behave = lambda _: refusal(400, "I see no images")
    done = cli("doctor", "--model", model)
    assert done.returncode == 1
    assert "refuses whatever it is asked: HTTP 400 I see no images" in done.stdout
    wait_for(lambda: "requests" not in {thread.name for thread in threading.enumerate()})
    server.listing = refusal(401)
    done = cli("doctor", tmp_path / "run")
    assert done.returncode == 1
    assert "HTTP 401" in done.stdout


# The real thing


@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("fastapi", "uvicorn", "openai")),
    reason="`transformers serve` needs the extra `serving`",
)
def test_transformers_serve_says_what_the_model_says_here(tmp_path, monkeypatch):
    """A tiny random LLaVA, greedy: the server's captions are those of `hf` on the same folder."""
    from tests.engine.captioners.families.test_hf import llava, save

    folder = save(llava, tmp_path / "tiny")
    make_captions(tmp_path, 12)
    for number in range(12):
        noise = Image.effect_noise((56, 42), 20 + 10 * number).convert("RGB")
        noise.save(tmp_path / f"images/{number:06}.png")
    asked = ["prompt=Say it.", "max_new_tokens=6"]
    with serving(folder, tmp_path) as address:
        models = ["--model", f"hf={folder}", "--model", f"served={address}"]
        settings = [f"{name}.{each}" for name in ("hf", "served") for each in asked]
        settings += ["hf.dtype=float32", f"served.served_model={folder}"]
        options = [word for each in settings for word in ("--set", each)]
        cli_ok("new", tmp_path / "run", tmp_path / "captions.json", *models, *options)
        cli_ok("run", tmp_path / "run", "--devices", "cpu")
    cli_ok("export", tmp_path / "run", tmp_path / "hf.json", "--model", "hf")
    cli_ok("export", tmp_path / "run", tmp_path / "served.json", "--model", "served")
    exported = (tmp_path / "served.json").read_bytes()
    assert exported.count(b'"image"') > 6
    assert exported == (tmp_path / "hf.json").read_bytes()


class serving:
    """`transformers serve` of one folder, in a process of its own; gives its address."""

    def __init__(self, folder, place) -> None:
        self.folder, self.place = folder, place

    def __enter__(self) -> str:
        with Server() as free:
            port = free.server_port
        cache = self.place / "cache"
        cache.mkdir()
        arguments = ["serve", str(self.folder), "--port", str(port), "--device", "cpu"]
        code = "from transformers.cli.transformers import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments, "--dtype", "float32"],
            env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache)},
            stdout=(self.place / "serve.log").open("wb"),
            stderr=subprocess.STDOUT,
        )
        wait_for(lambda: b"Uvicorn running" in (self.place / "serve.log").read_bytes())
        return f"http://localhost:{port}/v1"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
