"""HTTP requests to an OpenAI-compatible server, one at a time, and what their responses mean.

Nothing is tried again here; `captioner` does that.
"""

from __future__ import annotations

import asyncio
import email.utils
import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from db.rows import UnavailableCause
from engine.captioners.api_keys import NO_KEY, UNNAMED_VARIABLES, KeySource
from engine.captioners.base import Caption, Finish, ServerUnavailable
from engine.protocol.caption_row import TOKEN_COUNT_LIMIT
from engine.utils import jsonlines

MAX_RESPONSE_BYTES = 4 * 2**20
"""Size above which a response is given up: a caption has a few hundred bytes."""
SHOWN_CHARACTERS = 300
"""Number of characters of a server's message that errors repeat."""
REFUSAL_STATUSES = (400, 413, 415, 422)
"""Status codes of a server that will not caption this image: it is too large, or against its
rules."""
OVERLOAD_STATUSES = (408, 429, 503, 504, 529)
"""Status codes of a server that has too many requests."""
REASONING_NAMES = (
    *("reasoning_content", "reasoning", "thinking"),
    *("reasoning_details", "thinking_blocks"),
)
"""Fields of an answer that hold a model's reasoning."""
QUOTA_CODES = ("insufficient_quota", "billing_not_active", "billing_hard_limit_reached")
"""Error codes with status 429 for which it does not help to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long a server is waited for, and how often it is asked again. Times are in seconds."""

    connect_timeout: float = 10.0
    request_timeout: float = 120.0
    """From sending to the whole response; less than the supervisor waits for a sign of life."""
    first_backoff: float = 0.5
    """The longest pause after the first try; it doubles with each further try."""
    max_backoff: float = 8.0
    """The longest pause between two tries. Each pause is at random between half of it and all."""
    outage_seconds: float = 30.0
    """Time without a good answer after which the server is unavailable."""
    max_retry_after: float = 30.0
    """The longest that a request waits because the server asks for it. If a server asks for more,
    the supervisor makes its model wait instead."""
    max_refusals: int = 2
    """Refusals of a record that fail it, if the server captions the probe image after each."""
    tries_before_suspicion: int = 6
    """Failures of a record after which it may be their cause."""
    max_suspect_failures: int = 8
    """Failures in a row that fail a suspect record, if the server captions the probe image after
    each."""


class ServerError(Exception):
    """A request without caption, by the fault of the server or of the network: worth a retry."""

    def __init__(
        self,
        text: str,
        *,
        cause: UnavailableCause = "failing",
        congested: bool = False,
        retry_after: float | None = None,
        may_be_record: bool = True,
        unreachable: bool = False,
    ) -> None:
        super().__init__(text)
        self.cause: UnavailableCause = cause
        """Why the server is unavailable, if this goes on."""
        self.congested = congested
        """True if the server had too many requests, or gave no answer in time."""
        self.retry_after = retry_after
        """Seconds that the server wants to be left alone; None if it did not say."""
        self.may_be_record = may_be_record
        """True if the image may be the cause."""
        self.unreachable = unreachable
        """True if nobody listens at the address."""

    def as_unavailable(self, record_ids: Collection[int] = ()) -> ServerUnavailable:
        """Return the error for a server that is not asked again after this one.

        `record_ids` are the records that the server had.
        """
        return ServerUnavailable(
            str(self),
            cause=self.cause,
            retry_after=self.retry_after or 0.0,
            record_ids=record_ids,
        )


class ImageRefused(Exception):
    """The server will not caption this image; the message is the server's."""


class ModelNotServed(ServerUnavailable):
    """The server does not know the model, or there is no such server at the address."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response."""

    status: int
    headers: httpx2.Headers
    body: bytes


class ServerClient:
    """Connections to one server, for use in one event loop."""

    def __init__(
        self,
        address: str,
        max_connections: int,
        policy: RetryPolicy,
        key_source: KeySource = NO_KEY,
        own_key: str = "",
    ) -> None:
        """Keep at most `max_connections` open.

        `own_key` is the key of a server that this process has started, to which no proxy leads.
        Raises `ServerUnavailable` for a malformed key.
        """
        self.address = address
        self.policy = policy
        self.key_source = key_source
        self.key_variable, self.api_key = find_api_key(key_source.variables)
        self.api_key = own_key or self.api_key
        self.client = httpx2.AsyncClient(
            base_url=f"{address}/",
            headers={"Authorization": f"Bearer {self.api_key}"} if self.api_key else {},
            timeout=httpx2.Timeout(policy.request_timeout, connect=policy.connect_timeout),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=max_connections),
            follow_redirects=False,  # another host must get neither the key nor the images
            # To read the system's certificates takes long, and a server without TLS needs none.
            verify=not address.startswith("http:"),
            trust_env=not own_key,
        )

    async def close(self) -> None:
        await self.client.aclose()

    async def list_models(self) -> list[str] | None:
        """Return the ids of the models that the server serves; None if it has no such list.

        Raises `ServerError`, `ImageRefused`, `ServerUnavailable`.
        """
        response = await self.send("GET", "models")
        if response.status in (404, 405, 501):
            return None
        listed = self.parse(response).get("data")
        if not isinstance(listed, list):
            raise ServerError(self.describe_malformed("a list of models without data", response))
        return [str(it["id"]) for it in listed if isinstance(it, dict) and "id" in it]

    async def caption(self, body: bytes) -> Caption:
        """Ask for the caption of one image; `body` is the JSON of the request.

        Raises `ServerError`, `ImageRefused`, `ServerUnavailable`.
        """
        return self.read_caption(await self.send("POST", "chat/completions", body))

    def read_caption(self, response: Response) -> Caption:
        """Return the caption in a response.

        Raises `ServerError`, `ImageRefused`, `ServerUnavailable`.
        """
        value = self.parse(response)
        try:
            choice = value["choices"][0]
            message, finish = choice["message"], choice.get("finish_reason")
            text, usage = message.get("content"), value.get("usage") or {}
            reasoning = reasoning_of(message) or hidden_reasoning(usage)
            tokens = usage.get("completion_tokens") or 0
        except (KeyError, IndexError, TypeError, AttributeError):
            raise ServerError(self.describe_malformed("no choices", response)) from None
        if finish == "content_filter":
            raise ImageRefused("the server's content filter withheld the answer")
        if not text and message.get("refusal"):
            raise ImageRefused(self.redact(str(message["refusal"])))
        if isinstance(text, list):
            text = joined_parts(text)
        if text is None and (reasoning or finish in ("length", "tool_calls")):
            text = ""
        if not isinstance(text, str):
            raise ServerError(self.describe_malformed("no text", response))
        count = token_count(tokens)
        if count is None:
            raise ServerError(self.describe_malformed("no count of tokens", response))
        ended: Finish = "length" if finish == "length" else "stop"
        return Caption(text, count, ended, reasoning=reasoning)

    async def send(self, method: str, path: str, body: bytes | None = None) -> Response:
        """Send one request. Raises `ServerError` unless a whole response comes."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(self.policy.request_timeout),
                self.client.stream(method, path, content=body, headers=headers) as response,
            ):
                data = bytearray()
                async for part in response.aiter_bytes():
                    data += part
                    if len(data) > MAX_RESPONSE_BYTES:
                        raise ServerError(f"{self.address} sends an answer that is too long")
        except (TimeoutError, httpx2.TimeoutException) as error:
            connecting = isinstance(error, httpx2.ConnectTimeout)
            limit = self.policy.connect_timeout if connecting else self.policy.request_timeout
            failure = "does not accept a connection" if connecting else "does not answer"
            raise ServerError(
                f"{self.address} {failure} within {limit:g} s",
                cause="unreachable",
                congested=True,
                may_be_record=not connecting,
            ) from None
        except (httpx2.ConnectError, httpx2.ProxyError, httpx2.UnsupportedProtocol) as error:
            text = f"{self.address} cannot be reached: {self.redact(str(error))}"
            raise ServerError(
                text, cause="unreachable", may_be_record=False, unreachable=True
            ) from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            # From None: the library's own message may contain the key.
            message = self.redact(f"{type(error).__name__}: {error}")
            raise ServerError(f"{self.address} broke off: {message}") from None
        return Response(response.status_code, response.headers, bytes(data))

    def parse(self, response: Response) -> dict[str, Any]:
        """Return the JSON object of a good response.

        Raises `ServerError`, `ImageRefused`, `ServerUnavailable`.
        """
        if response.status != 200:
            raise self.error_of(response)
        media_type = response.headers.get("content-type", "")
        if "json" not in media_type:
            problem = f"an answer of type {media_type!r}"
            raise ServerError(self.describe_malformed(problem, response))
        try:
            value = jsonlines.loads(response.body)
        except ValueError:
            raise ServerError(self.describe_malformed("no JSON", response)) from None
        if not isinstance(value, dict):
            raise ServerError(self.describe_malformed("no JSON object", response))
        return value

    def error_of(self, response: Response) -> Exception:
        """Return what the status of a response, which is not 200, means for the record."""
        status = response.status
        message, code = error_message(response.body)
        text = self.redact(f"HTTP {status} {message}".strip())
        wait = retry_after(response.headers.get("retry-after"))
        if status in REFUSAL_STATUSES:
            return ImageRefused(text)
        if status == 429 and code in QUOTA_CODES:
            return ServerUnavailable(
                f"{self.address}: out of quota: {text}", cause="overloaded", retry_after=wait or 0.0
            )
        if status in OVERLOAD_STATUSES:
            return ServerError(
                f"{self.address}: {text}",
                cause="overloaded",
                congested=True,
                retry_after=wait,
                may_be_record=status not in (429, 503, 529),
            )
        if status == 425 or status >= 500:
            cause: UnavailableCause = "overloaded" if wait else "failing"
            return ServerError(f"{self.address}: {text}", cause=cause, retry_after=wait)
        if 200 <= status < 300:
            return ServerError(self.describe_malformed(f"HTTP {status}", response))
        text, wait = f"{self.address}: {text}", wait or 0.0
        if status == 404:
            return ModelNotServed(text, cause="model_not_served", retry_after=wait)
        if status not in (401, 403):
            return ServerUnavailable(text, cause="failing", retry_after=wait)
        return ServerUnavailable(
            f"{text} ({self.key_advice()})", cause="unauthorized", retry_after=wait
        )

    def key_advice(self) -> str:
        """Return what to do about a server that wants a key, or another one."""
        if self.key_variable:
            return f"the key is taken from {self.key_variable}, and was sent"
        unsent = next((name for name in UNNAMED_VARIABLES if os.environ.get(name)), None)
        note = f"; {unsent} names no server and is not sent" if unsent else ""
        return f"{self.key_source.advice or 'no key was sent'}{note}"

    def describe_malformed(self, problem: str, response: Response) -> str:
        """Return the message for a response that no server should give, with its beginning."""
        beginning = response.body[:80].decode(errors="replace")
        return self.redact(f"{self.address} returns an invalid response: {problem}: {beginning!r}")

    def redact(self, text: str) -> str:
        """Return the text in one line, cut to a bearable length, and without the API key."""
        if self.api_key:
            text = text.replace(self.api_key, "***")
        return " ".join(text.split())[:SHOWN_CHARACTERS]


def find_api_key(variables: Sequence[str]) -> tuple[str, str]:
    """Return the first of these environment variables that is set, and the API key in it.

    Both are empty if none is set. The key is never stored nor shown. Raises `ServerUnavailable`,
    whose message does not contain the key, if it is malformed.
    """
    for name in variables:
        key = os.environ.get(name, "").strip()
        if key:
            if not key.isascii() or not key.isprintable() or " " in key:
                text = f"the key in {name} holds characters that a key cannot have"
                raise ServerUnavailable(text, cause="unauthorized")
            return name, key
    return "", ""


def reasoning_of(message: dict[str, Any]) -> str:
    """Return what a model thought, as servers tell it apart from the answer; empty for nothing.

    vLLM and Ollama call it `reasoning`, SGLang, llama.cpp and older vLLM `reasoning_content`;
    Mistral makes it a part of the content.
    """
    parts = message.get("content")
    thoughts = (
        [it.get("thinking") for it in parts if isinstance(it, dict)]
        if isinstance(parts, list)
        else []
    )
    texts = [message.get(name) for name in REASONING_NAMES] + thoughts
    return next((str(text) for text in texts if text), "")


def hidden_reasoning(usage: dict[str, Any]) -> str:
    """Return that a model thought, where a server says only in how many tokens; else nothing."""
    tokens = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    return f"({tokens} tokens that the server does not show)" if tokens else ""


def joined_parts(content: list[Any]) -> str | None:
    """Return the text of a content that is a list of parts; None if it has parts, but no text."""
    texts = [it.get("text") for it in content if isinstance(it, dict) and it.get("type") == "text"]
    strings = [text for text in texts if isinstance(text, str)]
    return "".join(strings) if len(strings) == len(texts) and (strings or not content) else None


def token_count(value: Any) -> int | None:
    """Return the number of tokens that a JSON value of a server stands for, None if it is none.

    Some servers write `12.0` or `"12"`.
    """
    if isinstance(value, str) and value.isdecimal() and len(value) <= len(str(TOKEN_COUNT_LIMIT)):
        value = int(value)
    if isinstance(value, float) and value.is_integer():  # infinity and NaN are none
        value = int(value)
    # A bool is an int to Python.
    return value if type(value) is int and 0 <= value < TOKEN_COUNT_LIMIT else None


def error_message(body: bytes) -> tuple[str, str]:
    """Return the message and the error code in the body of an error response.

    Servers differ in where they put them; the code may be empty.
    """
    try:
        value = jsonlines.loads(body)
    except ValueError:
        return body[:SHOWN_CHARACTERS].decode(errors="replace"), ""
    inner = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(inner, dict):
        return str(inner), ""
    message = inner.get("message") or inner.get("detail") or inner
    return str(message), str(inner.get("code") or inner.get("type") or "")


def retry_after(text: str | None) -> float | None:
    """Return the seconds of a Retry-After header, a number or a date; None if it is neither.

    The result is between 0 and one day.
    """
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
