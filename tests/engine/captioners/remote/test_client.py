"""What a server's response means: a caption, a refusal, or a fault of the server and its cause."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from ssl import CERT_NONE, CERT_REQUIRED
from typing import Any

import httpx2
import pytest

from db.rows import UnavailableCause
from engine.captioners.base import Caption, ServerUnavailable
from engine.captioners.remote.client import (
    ImageRefused,
    ModelNotServed,
    Response,
    RetryPolicy,
    ServerClient,
    ServerError,
    find_api_key,
    retry_after,
)


@pytest.fixture
def client() -> ServerClient:
    return ServerClient("http://localhost:1/v1", 1, RetryPolicy())


def response(body: bytes, status: int = 200, **headers: str) -> Response:
    """Return a response of JSON. In names of headers, `_` stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, httpx2.Headers({"content-type": "application/json"} | named), body)


def caption_body(usage: str) -> bytes:
    """Return the body with a caption, and with `usage` as it is written."""
    choice = {"message": {"content": "A dog."}, "finish_reason": "stop"}
    return f'{{"choices": [{json.dumps(choice)}], "usage": {usage}}}'.encode()


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("7") == 7
    assert retry_after("-3") == 0
    assert 50 < (retry_after(formatdate(time.time() + 60, usegmt=True)) or 0) < 70
    assert retry_after(formatdate(time.time() - 60, usegmt=True)) == 0
    assert [retry_after(text) for text in (None, "", "soon", "nan")] == [None] * 4


# Tokens


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ('{"completion_tokens": 9}', 9),
        ('{"completion_tokens": 0}', 0),
        ('{"completion_tokens": 12.0}', 12),
        ('{"completion_tokens": "12"}', 12),
        ('{"completion_tokens": null}', 0),
        ('{"completion_tokens": 2147483647}', 2**31 - 1),
        ("{}", 0),
        ("null", 0),
    ],
)
def test_tokens_are_the_servers_or_unknown(client: ServerClient, usage: str, tokens: Any) -> None:
    caption = client.read_caption(response(caption_body(usage)))
    assert caption == Caption("A dog.", tokens, "stop")


@pytest.mark.parametrize(
    "tokens",
    ["1e400", "-1e400", "NaN", "-1", "1099511627776", "2147483648", "9.5", '"many"', "true", "[9]"],
)
def test_a_count_of_tokens_that_is_none_is_a_malformed_reply(
    client: ServerClient, tokens: str
) -> None:
    with pytest.raises(
        ServerError, match="returns an invalid response: no count of tokens"
    ) as caught:
        client.read_caption(response(caption_body(f'{{"completion_tokens": {tokens}}}')))
    assert caught.value.cause == "failing" and caught.value.may_be_record


@pytest.mark.parametrize("usage", ["7", '"x"', "[1]", "true"])
def test_usage_that_is_no_object_is_a_malformed_reply(client: ServerClient, usage: str) -> None:
    with pytest.raises(ServerError, match="returns an invalid response"):
        client.read_caption(response(caption_body(usage)))


# Causes


@pytest.mark.parametrize(
    ("status", "headers", "code", "kind", "cause"),
    [
        (500, {}, "", ServerError, "failing"),
        (502, {}, "", ServerError, "failing"),
        (500, {"retry_after": "60"}, "", ServerError, "overloaded"),
        (425, {}, "", ServerError, "failing"),
        (204, {}, "", ServerError, "failing"),
        (408, {}, "", ServerError, "overloaded"),
        (429, {}, "", ServerError, "overloaded"),
        (429, {"retry_after": "60"}, "", ServerError, "overloaded"),
        (503, {}, "", ServerError, "overloaded"),
        (504, {}, "", ServerError, "overloaded"),
        (529, {}, "", ServerError, "overloaded"),
        (429, {}, "insufficient_quota", ServerUnavailable, "overloaded"),
        (404, {}, "", ModelNotServed, "model_not_served"),
        (401, {}, "", ServerUnavailable, "unauthorized"),
        (403, {}, "", ServerUnavailable, "unauthorized"),
        (402, {}, "", ServerUnavailable, "failing"),
        (301, {}, "", ServerUnavailable, "failing"),
        (400, {}, "", ImageRefused, None),
        (413, {}, "", ImageRefused, None),
        (415, {}, "", ImageRefused, None),
        (422, {}, "", ImageRefused, None),
    ],
)
def test_a_status_has_a_cause(
    client: ServerClient,
    status: int,
    headers: dict[str, Any],
    code: str,
    kind: type[Exception],
    cause: UnavailableCause | None,
) -> None:
    body = json.dumps({"error": {"message": "no", "code": code}}).encode()
    error = client.error_of(response(body, status, **headers))
    assert type(error) is kind
    assert getattr(error, "cause", None) == cause
    if headers:
        assert getattr(error, "retry_after", None) == 60


@pytest.mark.parametrize(
    "body",
    [
        *(b"no JSON", b"[]", b'{"choices": []}', b'{"choices": [{}]}'),
        *(b'{"choices": [{"message": {}}]}', b'{"choices": [{"message": {"content": 0}}]}'),
        b'{"choices": [{"message": {"content": [{"type": "audio"}]}}]}',
    ],
)
def test_a_malformed_reply_is_a_failing_server(client: ServerClient, body: bytes) -> None:
    with pytest.raises(ServerError) as caught:
        client.read_caption(response(body))
    unavailable = caught.value.as_unavailable([3, 4])
    assert (unavailable.cause, unavailable.retry_after) == ("failing", 0.0)
    assert unavailable.record_ids == [3, 4]
    assert str(unavailable) == str(caught.value)


def test_an_answer_that_a_content_filter_withheld_is_a_refusal(client: ServerClient) -> None:
    choice = {"message": {"content": ""}, "finish_reason": "content_filter"}
    with pytest.raises(ImageRefused, match="content filter"):
        client.read_caption(response(json.dumps({"choices": [choice]}).encode()))


def test_what_a_model_will_not_caption_is_a_refusal(client: ServerClient) -> None:
    message = {"content": None, "refusal": "I can't help with that."}
    with pytest.raises(ImageRefused, match="I can't help with that"):
        client.read_caption(response(json.dumps({"choices": [{"message": message}]}).encode()))


@pytest.mark.parametrize(
    ("address", "verified"), [("http://localhost:1/v1", False), ("https://localhost:1/v1", True)]
)
def test_a_server_with_tls_must_prove_who_it_is(address: str, verified: bool) -> None:
    client = ServerClient(address, 1, RetryPolicy())
    pool: Any = client.client._transport
    assert pool._pool._ssl_context.verify_mode == (CERT_REQUIRED if verified else CERT_NONE)


def test_a_malformed_key_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "a secret")
    with pytest.raises(ServerUnavailable) as caught:
        find_api_key(["A_KEY"])
    assert caught.value.cause == "unauthorized" and "secret" not in str(caught.value)
