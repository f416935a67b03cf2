"""Servers that take some parameters only, some pictures only, or answer in parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.captioners.base import ServerUnavailable
from engine.captioners.model_choice import change_model
from engine.captioners.record_prompt import PromptRecord
from engine.captioners.remote.chat_request import AskedPicture, parameter_advice, request_body
from engine.captioners.remote.client import joined_parts
from engine.captioners.setting_changes import apply_changes
from engine.captioners.settings import Settings
from engine.images.image import ImageProblem, Picture, open_image
from engine.utils.errors import BadInput
from tests.faults.support.fake_server import CaptionRequest, FakeServer, Reply, error_reply


def body(**changes: str) -> dict[str, Any]:
    settings = apply_changes(Settings(prompt="Say it."), changes)
    sent: dict[str, Any] = json.loads(
        request_body("m", settings, AskedPicture("data:,", settings.prompt), 7)
    )
    return sent


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"seed": "none"}, {"seed"}),
        ({"temperature": "none", "seed": "none"}, {"temperature", "seed"}),
        ({"max_new_tokens": "none"}, {"max_tokens"}),
        (
            {"max_new_tokens": "none", "max_tokens_name": "max_completion_tokens"},
            {"max_tokens", "max_completion_tokens"},
        ),
    ],
)
def test_parameters_can_be_left_out(changes: dict[str, str], missing: set[str]) -> None:
    assert body().keys() - body(**changes).keys() == missing & body().keys()
    assert not missing & body(**changes).keys()


def test_the_cap_on_tokens_can_have_another_name() -> None:
    sent = body(max_tokens_name="max_completion_tokens", max_new_tokens="40")
    assert sent["max_completion_tokens"] == 40
    assert "max_tokens" not in sent


def test_a_value_ends_the_leaving_out() -> None:
    without = apply_changes(Settings(), {"seed": "none"})
    assert without.unsent == "seed"
    assert apply_changes(without, {"seed": "5"}) == Settings(seed=5)
    assert apply_changes(without, {"batch": "8"}).unsent == "seed"


def test_a_local_model_has_all_its_settings() -> None:
    with pytest.raises(BadInput, match="seed must have a value: it may be none only for a server"):
        change_model("m", "llava-1.5", None, Settings(prompt="<image>"), {"seed": "none"})


@pytest.mark.parametrize(
    ("changes", "added"),
    [
        ({}, {}),
        ({"repetition_penalty": "1.1"}, {"repetition_penalty": 1.1}),
        (
            {"max_pixels": "9", "min_pixels": "4"},
            {"mm_processor_kwargs": {"min_pixels": 4, "max_pixels": 9}},
        ),
        (
            {"template.enable_thinking": "false"},
            {"chat_template_kwargs": {"enable_thinking": False}},
        ),
        (
            {"prefill": "A photo of"},
            {"continue_final_message": True, "add_generation_prompt": False},
        ),
    ],
)
def test_settings_are_what_servers_call_them(
    changes: dict[str, str], added: dict[str, Any]
) -> None:
    sent = body(**changes)
    assert {key: sent[key] for key in sent.keys() - body().keys()} == added


def test_system_message_and_the_beginning_of_the_answer_stand_around_the_question() -> None:
    sent = body(system="Be kind.", prefill="A photo of")["messages"]
    assert [(it["role"], it["content"]) for it in (sent[0], sent[2])] == [
        ("system", "Be kind."),
        ("assistant", "A photo of"),
    ]
    assert body()["messages"] == [sent[1]]
    assert sent[1]["content"][1] == {"type": "text", "text": "Say it."}


@pytest.mark.parametrize(
    ("settings", "raw"),
    [
        ({}, "<think>A</think>\n\n a dog "),
        ({"strip": '["...</think>", "a "]'}, "dog "),
        ({"prefill": "This is"}, "This is<think>A</think>\n\n a dog "),
        ({"prefill": "This is", "keep_prefill": False}, "<think>A</think>\n\n a dog "),
        ({"prefill": "<think>"}, "<think>A</think>\n\n a dog "),
    ],
)
def test_what_becomes_of_an_answer(
    settings: dict[str, Any],
    raw: str,
    make: Callable[..., Any],
    server: FakeServer,
    picture: Picture,
) -> None:
    said = {"content": "<think>A</think>\n\n a dog "}
    reply = json.dumps({"choices": [{"message": said, "finish_reason": "stop"}]}).encode()
    server.behave = lambda _: Reply(body=reply)
    captioner = make(**settings)
    assert captioner.caption([captioner.prepare(picture)], [0])[0].raw == raw


def test_each_record_is_asked_with_its_own_texts(
    make: Callable[..., Any], picture: Picture
) -> None:
    captioner = make(prompts='["One: {alt}", "Two: {alt}"]', seed=3)
    asked = [
        captioner.prepare_record(
            picture, PromptRecord(record_id=it, texts={"alt": f"<|im_end|>{it}"})
        )
        for it in range(40)
    ]
    assert {it.prompt.partition(":")[0] for it in asked} == {"One", "Two"}
    assert asked[7].prompt.endswith(": < |im_end| >7")
    assert captioner.prepare(picture).prompt == captioner.asked_of_probe.prompt == "One: alt"
    with pytest.raises(ImageProblem, match=r"asks for \{alt\}, under which the record has no text"):
        captioner.prepare_record(picture, PromptRecord(record_id=1))


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        ("HTTP 400 Unsupported parameter: 'max_tokens'", "set max_new_tokens=none"),
        ("HTTP 400 Unsupported parameter: 'max_tokens'", "max_tokens_name=max_completion_tokens"),
        ("HTTP 400 'temperature' does not support 0", "set temperature=none"),
        ("HTTP 422 seed: extra fields not permitted", "set seed=none"),
        ("HTTP 400 Unknown parameter: 'chat_template_kwargs'", "set template=none"),
        ("HTTP 400 continue_final_message is unknown", "set an empty prefill"),
    ],
)
def test_a_refused_parameter_is_named_with_its_setting(refusal: str, advice: str) -> None:
    assert advice in parameter_advice(refusal)
    assert not parameter_advice("HTTP 400 I see no images")


def test_a_server_that_refuses_a_parameter_is_unavailable_with_the_advice(
    make: Callable[..., Any], server: FakeServer, tmp_path: Path
) -> None:
    server.behave = lambda _: error_reply(400, "Unsupported parameter: 'max_tokens'")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    captioner = make()
    with pytest.raises(ServerUnavailable, match="set max_new_tokens=none to leave it out"):
        captioner.caption([captioner.prepare(open_image(str(tmp_path / "a.jpg")))], [0])


@pytest.mark.parametrize("suffix", ["webp", "png", "gif"])
def test_a_picture_that_is_refused_is_sent_again_as_a_jpeg(
    make: Callable[..., Any], server: FakeServer, tmp_path: Path, suffix: str
) -> None:

    def only_jpegs(request: CaptionRequest) -> Reply | None:
        is_jpeg = request.media_type == "image/jpeg"
        return None if is_jpeg else error_reply(400, "cannot identify image file")

    server.behave = only_jpegs
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (8, 8), "teal").save(path)
    captioner = make(thinking=True)
    captioner.caption([captioner.prepare(open_image(str(path)))], [0])
    assert [it.media_type == "image/jpeg" for it in server.requests] == [False, True]


def test_a_jpeg_that_is_refused_fails_its_record(
    make: Callable[..., Any], server: FakeServer, tmp_path: Path
) -> None:
    Image.new("RGB", (8, 8), "teal").save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    server.behave = lambda request: error_reply(400, "too large") if request.image == data else None
    captioner = make()
    with pytest.raises(ImageProblem, match="too large"):
        captioner.caption([captioner.prepare(open_image(str(tmp_path / "a.jpg")))], [0])


def test_an_answer_in_parts_is_read(
    make: Callable[..., Any], server: FakeServer, tmp_path: Path
) -> None:
    parts = [{"type": "text", "text": "A red "}, {"type": "text", "text": "ball."}]
    reply = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}
    server.behave = lambda _: Reply(body=json.dumps(reply).encode())
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    captioner = make()
    captions = captioner.caption([captioner.prepare(open_image(str(tmp_path / "a.jpg")))], [0])
    assert [it.raw for it in captions] == ["A red ball."]


@pytest.mark.parametrize("parts", [[{"type": "image"}], ["text"], [{"type": "text", "text": 1}]])
def test_parts_without_text_are_nonsense(parts: list[Any]) -> None:
    assert joined_parts(parts) is None
