"""A model on a server that reasons: it is asked not to, and its reasoning is no caption."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from engine.captioners.base import Caption
from engine.captioners.remote.chat_request import NO_THINKING, record_seed
from engine.images.image import ImageProblem, Picture
from tests.engine.captioners.remote.conftest import HASTY, SETTINGS
from tests.faults.support.fake_server import (
    CaptionRequest,
    FakeServer,
    Reply,
    caption_reply,
    error_reply,
)
from tests.support.waiting import TIMEOUT_SECONDS

Make = Callable[..., Any]
NAMES = ("chat_template_kwargs", "reasoning_effort")


def ask(captioner: Any, picture: Picture, record: int = 0) -> Caption | ImageProblem:
    """Return what becomes of one record."""
    (answer,) = captioner.answer_each([captioner.prepare(picture)], [record])
    return answer


def sent(request: CaptionRequest) -> dict[str, Any]:
    """Return the parameters of a request that have to do with thinking."""
    return {name: request.body[name] for name in NAMES if name in request.body}


def message_reply(message: Mapping[str, Any], finish: str = "length") -> Reply:
    """Return a reply with a whole message, as servers with a reasoning parser send it."""
    choice = {"message": {"role": "assistant"} | dict(message), "finish_reason": finish}
    return Reply(body=json.dumps({"choices": [choice]}).encode())


# What a server takes: the parameters that it refuses, and those that it is sent from then on.
SERVERS: dict[str, tuple[Callable[[dict[str, Any]], bool], Mapping[str, Any]]] = {
    "takes everything": (lambda body: False, NO_THINKING[0]),
    "vLLM before none": (lambda body: body.get("reasoning_effort") == "none", NO_THINKING[1]),
    "OpenAI": (lambda body: "chat_template_kwargs" in body, {"reasoning_effort": "none"}),
    "OpenAI, gpt-5": (
        lambda body: (
            "chat_template_kwargs" in body or body.get("reasoning_effort") not in ("minimal", "low")
        ),
        {"reasoning_effort": "minimal"},
    ),
    "OpenAI, gpt-4o": (lambda body: any(name in body for name in NAMES), {}),
}


@pytest.mark.parametrize("name", SERVERS)
def test_thinking_is_switched_off_as_far_as_a_server_takes_it(
    make: Make, server: FakeServer, picture: Picture, name: str
) -> None:
    refuses, taken = SERVERS[name]
    server.behave = lambda request: (
        error_reply(400, "Unknown parameter") if refuses(request.body) else None
    )
    captioner = make()
    assert isinstance(ask(captioner, picture), Caption)
    tries = len(server.requests)
    assert isinstance(ask(captioner, picture, 1), Caption)
    assert len(server.requests) == tries + 1
    assert sent(server.requests[-1]) == taken


def test_a_refusal_is_heard_though_another_request_has_found_the_way(
    make: Make, server: FakeServer, picture: Picture
) -> None:
    """The first record is refused with one way, then another is captioned, then it is again."""
    captioner = make(replace(HASTY, request_timeout=TIMEOUT_SECONDS))
    inputs, captioned = captioner.prepare(picture), Event()
    refused_seed = record_seed(SETTINGS.seed, 0)
    asked_again = Event()

    def behave(request: CaptionRequest) -> Reply | None:
        if request.body["seed"] != refused_seed:
            assert asked_again.wait(TIMEOUT_SECONDS)
            return None
        if sent(request) != NO_THINKING[0]:
            asked_again.set()
            assert captioned.wait(TIMEOUT_SECONDS)
        return error_reply(400, "not allowed")

    server.behave = behave
    refused, other = captioner.submit(inputs, 0), captioner.submit(inputs, 1)
    assert isinstance(other.result(TIMEOUT_SECONDS), Caption)
    captioned.set()
    error = refused.exception(TIMEOUT_SECONDS)
    assert isinstance(error, ImageProblem) and error.kind == "refused"


def test_an_image_that_is_refused_is_no_sign_about_parameters(
    make: Make, server: FakeServer, picture: Picture
) -> None:
    """The first image of all is refused by the server's rules, with and without them."""
    first = server.requests
    server.behave = lambda request: (
        error_reply(400, "not allowed") if request.body["seed"] == first[0].body["seed"] else None
    )
    captioner = make()
    assert isinstance(refusal := ask(captioner, picture), ImageProblem)
    assert refusal.kind == "refused"
    assert isinstance(ask(captioner, picture, 1), Caption)
    assert sent(server.requests[-1]) == NO_THINKING[0]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"thinking": True}, {}),
        (
            {"thinking": True, "template": '{"mode": 1}'},
            {"chat_template_kwargs": {"mode": 1}},
        ),
        (
            {"template": '{"enable_thinking": true, "mode": 1}'},
            {
                "chat_template_kwargs": {
                    **NO_THINKING[0]["chat_template_kwargs"],
                    "enable_thinking": True,
                    "mode": 1,
                },
                "reasoning_effort": "none",
            },
        ),
    ],
)
def test_what_the_settings_say_comes_first(
    make: Make,
    server: FakeServer,
    picture: Picture,
    settings: Mapping[str, Any],
    expected: Mapping[str, Any],
) -> None:
    ask(make(**settings), picture)
    assert sent(server.requests[-1]) == expected


def test_variables_of_a_person_are_sent_although_a_server_refuses_ours(
    make: Make, server: FakeServer, picture: Picture
) -> None:
    server.behave = lambda request: (
        error_reply(400, "no") if "enable_thinking" in str(request.body) else None
    )
    ask(make(template='{"mode": 1}'), picture)
    assert sent(server.requests[-1])["chat_template_kwargs"] == {"mode": 1}


ONLY_REASONING: dict[str, Mapping[str, Any]] = {
    "a tag that is not closed": {"content": "<think>\nThe user wants a caption. Let me"},
    "reasoning_content, empty": {"content": "", "reasoning_content": "Let me look."},
    "reasoning_content, null": {"content": None, "reasoning_content": "Let me look."},
    "reasoning": {"content": None, "reasoning": "Let me look."},
    "a part of the content": {
        "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Let me look."}]}]
    },
    "details": {"content": None, "reasoning_details": [{"text": "Let me look."}]},
    "no content": {"reasoning_content": "Let me look."},
    "nothing behind it": {"content": "<think>Let me look.</think>\n\n"},
}


@pytest.mark.parametrize("name", ONLY_REASONING)
def test_an_answer_that_is_only_reasoning_is_a_failed_record(
    make: Make, server: FakeServer, picture: Picture, name: str
) -> None:
    server.behave = lambda _: message_reply(ONLY_REASONING[name])
    answer = ask(make(), picture)
    assert isinstance(answer, ImageProblem)
    assert answer.kind == "no_caption"
    assert "reasoning" in answer.detail and "raise max_new_tokens" in answer.detail
    assert "Let me" in answer.detail  # what it said is kept
    assert [it.body["max_tokens"] for it in server.requests] == [30, 1024]


@pytest.mark.parametrize(
    ("message", "finish"),
    [
        ({"content": None}, "length"),
        ({"reasoning_content": None, "refusal": None}, "length"),
        ({"content": None, "tool_calls": [{"type": "function"}]}, "tool_calls"),
        ({"content": []}, "stop"),
    ],
)
def test_an_answer_without_a_text_is_a_failed_record(
    make: Make, server: FakeServer, picture: Picture, message: Mapping[str, Any], finish: str
) -> None:
    server.behave = lambda _: message_reply(message, finish)
    answer = ask(make(), picture)
    assert isinstance(answer, ImageProblem) and answer.kind == "no_caption"
    assert len(server.requests) == 2


@pytest.mark.parametrize("text", ["", " \n", "</s>", "<|im_end|>", "<|im_start|>assistant\n"])
def test_an_answer_without_a_word_is_a_failed_record(
    make: Make, server: FakeServer, picture: Picture, text: str
) -> None:
    server.behave = lambda _: caption_reply(text)
    answer = ask(make(), picture)
    assert isinstance(answer, ImageProblem) and answer.kind == "no_caption"
    assert len(server.requests) == 2


def test_more_tokens_bring_the_answer_behind_the_reasoning(
    make: Make, server: FakeServer, picture: Picture
) -> None:
    """The raw caption is all that the model wrote."""
    whole = "<think>\nThe user wants a caption.\n</think>\n\nA red ball on grass."
    server.behave = lambda request: (
        caption_reply(whole)
        if request.body["max_tokens"] >= 60
        else caption_reply(whole[:20], "length")
    )
    answer = ask(make(), picture)
    assert isinstance(answer, Caption)
    assert answer.raw == whole


def test_more_tokens_than_a_model_has_room_for_are_no_fault_of_the_image(
    make: Make, server: FakeServer, picture: Picture
) -> None:
    server.behave = lambda request: (
        error_reply(400, "maximum context length is 512 tokens")
        if request.body["max_tokens"] > 500
        else caption_reply("<think>Well", "length")
    )
    answer = ask(make(), picture)
    assert isinstance(answer, ImageProblem) and answer.kind == "no_caption"


@pytest.mark.parametrize("content", ["", None])
def test_reasoning_that_a_server_only_counts(
    make: Make, server: FakeServer, picture: Picture, content: str | None
) -> None:
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "length"}
    usage = {"completion_tokens": 30, "completion_tokens_details": {"reasoning_tokens": 30}}
    body = json.dumps({"choices": [choice], "usage": usage}).encode()
    server.behave = lambda _: Reply(body=body)
    answer = ask(make(), picture)
    assert isinstance(answer, ImageProblem)
    assert "only reasoning_content is not" in answer.detail and "(30 tokens that" in answer.detail


def test_reasoning_beside_an_answer_is_none_of_it(
    make: Make, server: FakeServer, picture: Picture
) -> None:
    message = {"content": "A red ball.", "reasoning": "Let me look."}
    server.behave = lambda _: message_reply(message, "stop")
    answer = ask(make(), picture)
    assert isinstance(answer, Caption) and answer.raw == "A red ball."
