"""A server that speaks OpenAI's protocol, and misbehaves as it is told to."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

MODEL = "tiny"


@dataclass
class Reply:
    """What is sent; `way` is how: whole, cut (half of the body), reset, silent, endless."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    way: str = "whole"


@dataclass
class Asked:
    """A request for a caption; `number` counts them from 1."""

    number: int
    wanted: dict[str, Any]
    image: bytes
    media_type: str
    key: str | None
    at: float

    @property
    def crc(self) -> int:
        return zlib.crc32(self.image)


Behaviour = Callable[[Asked], Reply | None]
"""None is a good answer."""


def refusal(status: int, text: str = "no", code: str = "", **headers: str) -> Reply:
    body = json.dumps({"error": {"message": text, "code": code}}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, named)


def caption_of(image: bytes) -> str:
    """As `dry-run` says it."""
    with Image.open(io.BytesIO(image)) as opened:
        width, height, mode = *opened.size, opened.mode
    return (
        f"{width}x{height} {mode} image, crc32 {zlib.crc32(image):08x}."
        " This second sentence is here to be sheared."
    )


def answer(text: str | None, finish: str = "stop", tokens: int = 9) -> Reply:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"completion_tokens": tokens}
    return Reply(body=json.dumps({"choices": [choice], "usage": usage}).encode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgement of its head
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        listed = {"object": "list", "data": [{"id": each} for each in self.server.serves]}
        self.reply(self.server.listing or Reply(body=json.dumps(listed).encode()))

    def do_POST(self) -> None:
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        url = wanted["messages"][0]["content"][0]["image_url"]["url"]
        head, _, data = url.partition(",")
        media_type = head.removeprefix("data:").removesuffix(";base64")
        with self.server.entering:
            self.server.in_flight += 1
            self.server.most = max(self.server.most, self.server.in_flight)
            asked = Asked(
                len(self.server.asked) + 1,
                wanted,
                base64.b64decode(data),
                media_type,
                self.headers["Authorization"],
                time.monotonic(),
            )
            self.server.asked.append(asked)
        try:
            time.sleep(self.server.seconds)
            self.reply(self.server.behave(asked) or answer(caption_of(asked.image)))
        finally:
            with self.server.entering:
                self.server.in_flight -= 1

    def reply(self, reply: Reply) -> None:
        if reply.way == "silent":
            self.server.released.wait(30)
            self.close_connection = True
            return
        if reply.way == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        if reply.way != "endless":
            self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.way == "cut":
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.close_connection = True
            return
        self.wfile.write(reply.body)
        while reply.way == "endless":
            self.wfile.write(b"more and more" * 10_000)


class Server(ThreadingHTTPServer):
    """Listens while its `with` block lasts; `behave`, `serves` and `listing` may be changed."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, behave: Behaviour = lambda _: None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.behave = behave
        self.serves = [MODEL]
        self.listing: Reply | None = None
        self.seconds = 0.0
        self.entering = threading.Lock()
        self.released = threading.Event()
        self.asked: list[Asked] = []
        self.in_flight = self.most = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def times(self) -> Counter[int]:
        """How often each image was asked about."""
        return Counter(each.crc for each in self.asked)

    def handle_error(self, *_: object) -> None:
        pass  # a client that hung up

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        if self.fileno() >= 0:  # not closed by the test
            self.shutdown()
        self.server_close()
