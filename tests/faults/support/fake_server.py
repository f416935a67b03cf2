"""A server that speaks OpenAI's protocol, captions like `dry-run`, and misbehaves on demand."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

MODEL = "tiny"
"""The name of the one model that the server lists, unless a test changes the list."""


@dataclass
class Reply:
    """A reply to an HTTP request, and the way in which it is sent."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    delivery: str = "whole"
    """How the reply is sent: `whole`, `cut` (half of the body), `reset` (the connection is reset),
    `silent` (nothing is sent) or `endless` (the body does not end)."""


@dataclass
class CaptionRequest:
    """An HTTP request for a caption, as the server received it."""

    number: int
    """The number of the request, counted from 1."""
    body: dict[str, Any]
    image: bytes
    media_type: str
    key: str | None
    """The header Authorization; None without one."""
    received_at: float
    """Time at which the request came, on the monotonic clock, in seconds."""

    @property
    def crc(self) -> int:
        """Return the CRC-32 of the image file."""
        return zlib.crc32(self.image)


Behaviour = Callable[[CaptionRequest], Reply | None]
"""A function that returns the reply to a request, or None for the correct reply."""


def error_reply(status: int, text: str = "no", code: str = "", **headers: str) -> Reply:
    """Return an error in OpenAI's form. In names of headers, `_` stands for a hyphen."""
    body = json.dumps({"error": {"message": text, "code": code}}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, named)


def caption_as_dry_run(image: bytes) -> str:
    """Return the caption that the model `dry-run` makes of an image."""
    with Image.open(io.BytesIO(image)) as opened:
        width, height, mode = *opened.size, opened.mode
    return (
        f"{width}x{height} {mode} image, crc32 {zlib.crc32(image):08x}."
        " This second sentence is here to be sheared."
    )


def caption_reply(text: str | None, finish: str = "stop", tokens: float = 9) -> Reply:
    """Return a reply that holds this caption."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"completion_tokens": tokens}
    return Reply(body=json.dumps({"choices": [choice], "usage": usage}).encode())


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    # With Nagle's algorithm a body waits 40 ms for the acknowledgement of its head.
    disable_nagle_algorithm = True
    server: FakeServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        models = {"object": "list", "data": [{"id": name} for name in self.server.models]}
        self.reply(self.server.listing or Reply(body=json.dumps(models).encode()))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        url = body["messages"][0]["content"][0]["image_url"]["url"]
        head, _, data = url.partition(",")
        media_type = head.removeprefix("data:").removesuffix(";base64")
        with self.server.counting:
            self.server.in_flight += 1
            self.server.max_in_flight = max(self.server.max_in_flight, self.server.in_flight)
            request = CaptionRequest(
                len(self.server.requests) + 1,
                body,
                base64.b64decode(data),
                media_type,
                self.headers["Authorization"],
                time.monotonic(),
            )
            self.server.requests.append(request)
        try:
            time.sleep(self.server.delay_seconds)
            reply = self.server.behave(request)
            self.reply(reply or caption_reply(caption_as_dry_run(request.image)))
        finally:
            with self.server.counting:
                self.server.in_flight -= 1

    def reply(self, reply: Reply) -> None:
        if reply.delivery == "silent":
            self.server.released.wait(30)
            self.close_connection = True
            return
        if reply.delivery == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.media_type)
        if reply.delivery != "endless":
            self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.delivery == "cut":
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.close_connection = True
            return
        self.wfile.write(reply.body)
        while reply.delivery == "endless":
            self.wfile.write(b"more and more" * 10_000)


class FakeServer(ThreadingHTTPServer):
    """A server that runs while its `with` block lasts, in threads of this process.

    A test may change `behave`, `models`, `listing` and `delay_seconds` at any time.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, behave: Behaviour = lambda _: None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.behave = behave
        self.models = [MODEL]
        self.listing: Reply | None = None
        """The reply to a request for the list of models; None for the correct one."""
        self.delay_seconds = 0.0
        """Seconds after which a request is replied to."""
        self.counting = threading.Lock()
        self.released = threading.Event()
        """Set when the server ends, so that silent replies end, too."""
        self.requests: list[CaptionRequest] = []
        """All requests for captions, in the order in which they came."""
        self.in_flight = self.max_in_flight = 0
        """Number of requests without a reply: now, and at most so far."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, *_: object) -> None:
        pass  # a client that hung up

    def __enter__(self) -> FakeServer:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        if self.fileno() >= 0:  # not closed by the test
            self.shutdown()
        self.server_close()
