"""What can be wrong with a server: its replies, by name, and what is reported then."""

from __future__ import annotations

import math
from dataclasses import replace
from threading import Event
from typing import cast

from tests.faults.support.fake_server import (
    Behaviour,
    CaptionRequest,
    FakeServer,
    Reply,
    caption_reply,
    error_reply,
)

HTML = Reply(body=b"<html>It works!</html>", media_type="text/html")
GOOD = caption_reply("a caption that must not be taken")
NONSENSE = {  # by fault: the reply, and part of the message that reports it
    "html": (HTML, "returns an invalid response: an answer of type 'text/html'"),
    "html as json": (
        replace(HTML, media_type="application/json"),
        "returns an invalid response: no JSON",
    ),
    "json as html": (replace(GOOD, media_type="text/html"), "an answer of type 'text/html'"),
    "no content type": (replace(GOOD, media_type=""), "an answer of type ''"),
    "a list": (Reply(body=b"[]"), "returns an invalid response: no JSON object"),
    "empty choices": (Reply(body=b'{"choices": []}'), "returns an invalid response: no choices"),
    "no message": (Reply(body=b'{"choices": [{}]}'), "returns an invalid response: no choices"),
    "no text": (caption_reply(None), "returns an invalid response: no text"),
    "a number of text": (caption_reply(cast(str, 7)), "returns an invalid response: no text"),
    "tokens without end": (caption_reply("x", tokens=math.inf), "response: no count of tokens"),
    "nothing": (Reply(body=b""), "returns an invalid response: no JSON"),
    "cut": (replace(GOOD, delivery="cut"), "broke off"),
    "reset": (Reply(delivery="reset"), "broke off"),
    "endless": (Reply(body=b"x", delivery="endless"), "sends an answer that is too long"),
    "silent": (Reply(delivery="silent"), "does not answer within 1 s"),
    "204": (Reply(204), "returns an invalid response: HTTP 204"),
    "redirect": (Reply(302, headers={"Location": "http://example.com"}), "HTTP 302"),
    "500": (error_reply(500, "a bug"), "HTTP 500 a bug"),
    "502": (Reply(502, b"<html>bad gateway</html>", media_type="text/html"), "HTTP 502"),
    "503": (error_reply(503, "loading"), "HTTP 503 loading"),
    "429": (error_reply(429, "slowly"), "HTTP 429 slowly"),
    "429 for long": (error_reply(429, "slowly", retry_after="1"), "HTTP 429 slowly"),
    "quota": (error_reply(429, "pay", "insufficient_quota"), "out of quota: HTTP 429 pay"),
    "402": (error_reply(402, "pay"), "HTTP 402 pay"),
    "401": (error_reply(401, "wrong key"), "HTTP 401 wrong key (the key is taken from"),
    "403": (error_reply(403, "not you"), "HTTP 403 not you (the key is taken from"),
    "404": (error_reply(404, "no such model"), "HTTP 404 no such model; it serves tiny"),
    "400 to everything": (error_reply(400, "no images"), "refuses every request: HTTP 400"),
    "413 to everything": (error_reply(413, "too large"), "refuses every request: HTTP 413"),
}


def reply_to(images: set[bytes], reply: Reply) -> Behaviour:
    """Return a behaviour that sends this reply to requests for these images."""
    return lambda request: reply if request.image in images else None


def hold_from(server: FakeServer, number: int) -> Event:
    """Let the server reply to no request after the first `number` until the event is set."""
    go_on = Event()

    def behave(request: CaptionRequest) -> None:
        if request.number > number:
            go_on.wait()

    server.behave = behave
    return go_on
