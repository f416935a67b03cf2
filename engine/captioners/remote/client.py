"""One request to an OpenAI-compatible server, and what its answer means."""

from __future__ import annotations

import asyncio
import email.utils
import os
import time
from dataclasses import dataclass
from typing import Any

import httpx2

from engine.captioners.base import Caption, Unavailable
from engine.utils import jsonlines

KEYS = ("MLLMAUG_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key: it is read, never stored nor shown."""
LARGEST_ANSWER = 4 * 2**20
SHOWN = 300
"""Characters of what a server says that are repeated."""
REFUSALS = (400, 413, 415, 422)
"""It will not caption this image: too large, against its rules."""
OVERLOADED = (408, 429, 503, 504, 529)
QUOTA = ("insufficient_quota", "billing_not_active", "billing_hard_limit_reached")
"""Codes of a 429 that waiting does not help against."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What a server is granted. Times in seconds."""

    connect: float = 10.0
    request: float = 120.0
    """From sending to the whole answer; less than the supervisor waits for a sign of life."""
    first_pause: float = 0.5
    longest_pause: float = 8.0
    """Between two tries, at random up to it."""
    failing: float = 30.0
    """Without one good answer, after which the server is unavailable."""
    longest_wait: float = 30.0
    """A server that asks for more is left alone by the supervisor instead."""
    refusals: int = 2
    """Of a record, each before a good answer about our own picture."""
    tries: int = 6
    """After which it may be the record."""
    proofs: int = 8
    """Failures of a record in a row, each beside a good answer about our own picture."""


class Trouble(Exception):
    """No caption, by the fault of the server or of the way to it: worth asking again."""

    def __init__(
        self,
        text: str,
        congested: bool = False,
        after: float | None = None,
        of_record: bool = True,
        down: bool = False,
    ) -> None:
        super().__init__(text)
        self.congested = congested
        self.after = after
        """Seconds that the server wants to be left alone."""
        self.of_record = of_record
        """Whether it could be the image that the server cannot bear."""
        self.down = down
        """Nobody listens at its address."""


class Refused(Exception):
    """The server will not caption this image; its message."""


class NoModel(Unavailable):
    """It does not know the model, or the address is not its."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: httpx2.Headers
    body: bytes


class Server:
    """Belongs to one event loop."""

    def __init__(self, address: str, most: int, patience: Patience) -> None:
        """Raises `Unavailable` for a key that cannot be one."""
        self.address = address
        self.patience = patience
        self.key = find_key()
        self.client = httpx2.AsyncClient(
            base_url=f"{address}/",
            headers={"Authorization": f"Bearer {self.key}"} if self.key else {},
            timeout=httpx2.Timeout(patience.request, connect=patience.connect),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=most),
        )

    async def close(self) -> None:
        await self.client.aclose()

    async def models(self) -> list[str] | None:
        """What it serves; None where it has no such list. Raises `Trouble`, `Unavailable`."""
        answer = await self.ask("GET", "models")
        if answer.status in (404, 405, 501):
            return None
        listed = self.read(answer).get("data")
        if not isinstance(listed, list):
            raise Trouble(self.nonsense("a list of models without data", answer))
        return [str(it["id"]) for it in listed if isinstance(it, dict) and "id" in it]

    async def caption(self, body: bytes) -> Caption:
        """Raises `Trouble`, `Refused`, `Unavailable`."""
        answer = await self.ask("POST", "chat/completions", body)
        value = self.read(answer)
        try:
            choice = value["choices"][0]
            text, finish = choice["message"]["content"], choice.get("finish_reason")
            tokens = int((value.get("usage") or {}).get("completion_tokens") or 0)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise Trouble(self.nonsense("no choices", answer)) from None
        if finish == "content_filter":
            raise Refused("the server's content filter withheld the answer")
        if not isinstance(text, str) or tokens < 0:
            raise Trouble(self.nonsense("no text", answer))
        return Caption(text, tokens, "length" if finish == "length" else "stop")

    async def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Raises `Trouble` where no whole answer comes."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(self.patience.request),
                self.client.stream(method, path, content=body, headers=headers) as response,
            ):
                data = bytearray()
                async for part in response.aiter_bytes():
                    data += part
                    if len(data) > LARGEST_ANSWER:
                        raise Trouble(f"{self.address} answers without end")
        except (TimeoutError, httpx2.TimeoutException) as error:
            connecting = isinstance(error, httpx2.ConnectTimeout)
            limit = self.patience.connect if connecting else self.patience.request
            what = "does not take a connection" if connecting else "does not answer"
            text = f"{self.address} {what} within {limit:g} s"
            raise Trouble(text, congested=True, of_record=not connecting) from None
        except (httpx2.ConnectError, httpx2.ProxyError, httpx2.UnsupportedProtocol) as error:
            text = f"{self.address} cannot be reached: {self.shown(str(error))}"
            raise Trouble(text, of_record=False, down=True) from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            # From None: what a library says of a request is shown only without the key.
            said = self.shown(f"{type(error).__name__}: {error}")
            raise Trouble(f"{self.address} broke off: {said}") from None
        return Answer(response.status_code, response.headers, bytes(data))

    def read(self, answer: Answer) -> dict[str, Any]:
        """The object of a good answer. Raises `Trouble`, `Refused`, `Unavailable`."""
        if answer.status != 200:
            raise self.not_good(answer)
        kind = answer.headers.get("content-type", "")
        if "json" not in kind:
            raise Trouble(self.nonsense(f"an answer of type {kind!r}", answer))
        try:
            value = jsonlines.loads(answer.body)
        except ValueError:
            raise Trouble(self.nonsense("no JSON", answer)) from None
        if not isinstance(value, dict):
            raise Trouble(self.nonsense("no JSON object", answer))
        return value

    def not_good(self, answer: Answer) -> Exception:
        status = answer.status
        said, code = message_of(answer.body)
        text = self.shown(f"HTTP {status} {said}".strip())
        after = retry_after(answer.headers.get("retry-after"))
        if status in REFUSALS:
            return Refused(text)
        if status == 429 and code in QUOTA:
            return Unavailable(f"{self.address}: out of quota: {text}", after or 0.0)
        if status in OVERLOADED:
            slow_down = status in (429, 503, 529)
            return Trouble(f"{self.address}: {text}", True, after, of_record=not slow_down)
        if status == 425 or status >= 500:
            return Trouble(f"{self.address}: {text}", after=after)
        if 200 <= status < 300:
            return Trouble(self.nonsense(f"HTTP {status}", answer))
        hint = ""
        if status in (401, 403):
            hint = f" (the key is taken from {' or '.join(KEYS)} in the environment of the run)"
        kind = NoModel if status == 404 else Unavailable
        return kind(f"{self.address}: {text}{hint}", after or 0.0)

    def nonsense(self, what: str, answer: Answer) -> str:
        begins = answer.body[:80].decode(errors="replace")
        return self.shown(f"{self.address} answers nonsense: {what}: {begins!r}")

    def shown(self, text: str) -> str:
        """In one line, not too long, without the key."""
        if self.key:
            text = text.replace(self.key, "***")
        return " ".join(text.split())[:SHOWN]


def find_key() -> str | None:
    """Raises `Unavailable` without saying what the key is."""
    for name in KEYS:
        key = os.environ.get(name, "").strip()
        if key:
            if not key.isascii() or not key.isprintable() or " " in key:
                raise Unavailable(f"the key in {name} holds characters that no key has")
            return key
    return None


def message_of(body: bytes) -> tuple[str, str]:
    """What the body of a refusal says, and its code: servers differ in where they put them."""
    try:
        value = jsonlines.loads(body)
    except ValueError:
        return body[:SHOWN].decode(errors="replace"), ""
    inner = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(inner, dict):
        return str(inner), ""
    said = inner.get("message") or inner.get("detail") or inner
    return str(said), str(inner.get("code") or inner.get("type") or "")


def retry_after(text: str | None) -> float | None:
    """Seconds, of a number or a date; None for neither."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), 86_400.0) if seconds == seconds else None
