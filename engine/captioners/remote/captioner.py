"""The captioner of a server with OpenAI's API (vLLM, SGLang, LMDeploy, `transformers serve`).

It keeps many requests in flight, tries again where the server fails, and never fails a record for
a fault of the server. The probe image tells the two apart: a record fails here only if the server
captions the probe image at that time. When the server goes away, the error names the records that
the server had.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from engine.captioners.answer_text import stripped, with_longer_cap, with_prefill
from engine.captioners.api_keys import NO_KEY, KeySource
from engine.captioners.base import Caption, RemoteCaptioner, ServerUnavailable
from engine.captioners.preprocessing.picture_rules import pixel_rules
from engine.captioners.record_prompt import (
    PromptRecord,
    drawn_prompt,
    fill,
    keys_of,
    sample_texts,
)
from engine.captioners.remote.chat_request import (
    NO_THINKING,
    AskedPicture,
    parameter_advice,
    request_body,
)
from engine.captioners.remote.client import (
    ImageRefused,
    ModelNotServed,
    RetryPolicy,
    ServerClient,
    ServerError,
)
from engine.captioners.remote.concurrency import RequestWindow
from engine.captioners.remote.picture_encoding import as_jpeg, data_url, encode_picture
from engine.captioners.remote.server_health import PROBE_ID, ServerHealth
from engine.captioners.settings import Settings
from engine.images.image import ImageProblem, Picture
from engine.images.probe_image import probe_image_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RETRY_POLICY = RetryPolicy()

MAX_PROBES = 4
"""The most requests about the probe image before a failure counts against a record."""

T = TypeVar("T")


class EndpointCaptioner(RemoteCaptioner):
    """The client of one server. Its requests run in an event loop, which has a thread of its own.

    Only that thread changes `health`, `window` and the counters.
    """

    def __init__(
        self,
        address: str,
        settings: Settings,
        policy: RetryPolicy = RETRY_POLICY,
        key: KeySource = NO_KEY,
        own_key: str = "",
    ) -> None:
        """Connect, and find out which model to ask for. Raises `ServerUnavailable`.

        `own_key` is the API key of a server that this process has started.
        """
        self.settings = settings
        self.policy = policy
        self.client = ServerClient(address, settings.batch, policy, key, own_key)
        self.batch = settings.batch
        self.health = ServerHealth(policy)
        self.window = RequestWindow(settings.batch)
        self.used_slots = 0
        """Slots of the window in use: requests that are in flight or wait for `retry_at`."""
        self.asked_of_probe = self.asked_without_record(data_url("image/jpeg", probe_image_file()))
        """What is asked about the probe image."""
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.run_loop, daemon=True, name="requests").start()
        self.no_thinking: Sequence[dict[str, Any]] = ({},) if settings.thinking else NO_THINKING
        """Parameters to try in turn, that ask the model not to reason; one once it is known."""
        self.slot_freed = asyncio.Condition()
        try:
            self.model = self.start(self.find_model()).result()
        except BaseException:
            self.close()
            raise

    def with_settings(self, settings: Settings) -> EndpointCaptioner:
        """Return a captioner with the same connections; closing this one closes both."""
        other = copy(self)
        other.settings = settings
        return other

    def run_loop(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine in the event loop, from any other thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def close(self) -> None:
        self.start(self.client.close()).add_done_callback(
            lambda _: self.loop.call_soon_threadsafe(self.loop.stop)
        )

    async def find_model(self) -> str:
        """Return the id of the model to ask for. Raises `ServerUnavailable`."""
        served_model, listed = self.settings.served_model, None
        try:
            listed = await self.client.list_models()
        except ImageRefused as refusal:
            raise ServerUnavailable(f"{self.client.address}: {refusal}", cause="failing") from None
        except ServerError as error:
            # A server that answers may caption although it cannot list its models.
            if not (served_model and error.may_be_record):
                raise error.as_unavailable() from None
        if served_model:
            return served_model
        if listed is not None and len(listed) == 1:
            return listed[0]
        serves = "serves no model"
        if listed:
            serves = f"serves {self.client.redact(', '.join(listed[:20]))}"
        if listed is None:
            serves = "does not say what it serves"
        raise ServerUnavailable(
            f"{self.client.address} {serves}: name the model to ask for with the setting"
            " served_model",
            cause="model_not_served",
        )

    def prepare(self, picture: Picture) -> AskedPicture:
        """Return what is asked about an image of no record. Raises `ImageProblem`."""
        return self.asked_without_record(encode_picture(picture, pixel_rules(self.settings)))

    def prepare_record(self, picture: Picture, record: PromptRecord) -> AskedPicture:
        prompt = fill(drawn_prompt(self.settings, record.record_id), record.texts)
        return AskedPicture(encode_picture(picture, pixel_rules(self.settings)), prompt)

    def asked_without_record(self, image: str) -> AskedPicture:
        """Return what is asked about a data URL where no record has texts for the prompt."""
        prompt = self.settings.prompt_choices[0]
        return AskedPicture(image, fill(prompt, sample_texts(keys_of(prompt))))

    def submit(
        self, inputs: AskedPicture, record_id: int, isolated: bool = False
    ) -> Future[Caption]:
        return self.start(self.caption_record(inputs, record_id, isolated))

    async def caption_record(self, asked: AskedPicture, record_id: int, isolated: bool) -> Caption:
        """Ask for a caption until there is one or the record or the server is given up.

        Raises `ImageProblem`, `ServerUnavailable`.
        """
        self.health.suspects.discard(record_id)
        for tries in count(1):
            if not isolated or await self.probe():
                break
            await asyncio.sleep(self.backoff(tries))
        refusals = failures = 0
        settings, empty = self.settings, None
        for tries in count(1):
            try:
                caption = await self.request(asked, record_id, settings)
                if caption.why_none is None or empty is not None:
                    return answer_or_raise(caption)
                settings, empty = with_longer_cap(settings), caption
                continue
            except ImageRefused as refusal:
                if empty is not None:  # more tokens than the model has room for
                    return answer_or_raise(empty)
                # Some servers refuse a WebP or PNG that is sound.
                jpeg = await asyncio.to_thread(as_jpeg, asked.image)
                if jpeg is not None:
                    asked = asked._replace(image=jpeg)
                    continue
                # The probes find out whether the server refuses everything.
                refusals += await self.probe_several_times()
                if refusals >= self.policy.max_refusals:
                    raise ImageProblem("refused", str(refusal)) from None
            except ServerError as error:
                outage = self.health.is_outage(error, time.monotonic())
                suspicious = tries >= self.policy.tries_before_suspicion or outage
                if not (suspicious and error.may_be_record):
                    self.raise_if_outage(error)
                else:
                    # If the server fails at the probe image, too, the record is not to blame.
                    failures = failures + 1 if await self.probe_several_times() else 0
                    if failures >= self.policy.max_suspect_failures:
                        raise ImageProblem("unanswered", str(error)) from None
            await asyncio.sleep(self.backoff(tries))
        raise AssertionError

    async def request(
        self, asked: AskedPicture, record_id: int, settings: Settings | None = None
    ) -> Caption:
        """Ask for a caption once; again without thinking switched off if a server refuses that.

        `settings` are those to ask with; None for the captioner's own. Raises `ServerError`,
        `ImageRefused`, `ServerUnavailable`.
        """
        settings = settings or self.settings
        # Another request may find meanwhile which of the ways the server takes.
        ways = self.no_thinking
        for number, parameters in enumerate(ways, start=1):
            body = request_body(self.model, settings, asked, record_id, parameters)
            try:
                caption = await self.send(body, record_id)
            except ImageRefused:
                if number == len(ways):
                    raise
            else:
                self.no_thinking = (parameters,)
                return replace(caption, raw=raw_text(caption.raw, settings))
        raise AssertionError

    async def send(self, body: bytes, record_id: int) -> Caption:
        """Send a request, and return the answer as it came.

        Raises `ServerError`, `ImageRefused`, `ServerUnavailable`.
        """
        async with self.slot():
            sent_at = time.monotonic()
            self.health.on_sent(record_id, sent_at)
            try:
                caption = await self.client.caption(body)
            except ServerError as error:
                now = time.monotonic()
                self.health.on_failure(error, record_id, sent_at, now)
                if error.congested:
                    self.window.on_congestion(sent_at, now)
                self.ended_requests += 1
                raise
            except ModelNotServed as error:
                raise await self.with_served_models(error) from None
            finally:
                self.health.on_end(record_id)
            self.ended_requests += 1
            now = time.monotonic()
            self.health.on_success(now)
            if now - sent_at > self.policy.request_timeout / 2:
                self.window.on_congestion(sent_at, now)
            else:
                self.window.on_answer(sent_at, now)
            return caption

    def raise_if_outage(self, error: ServerError) -> None:
        """Raise `ServerUnavailable` if the server should not be asked again from here."""
        if self.health.is_outage(error, time.monotonic()):
            asked_to_wait = not (error.may_be_record or error.unreachable)
            raise error.as_unavailable(() if asked_to_wait else self.health.lost_records())

    async def probe(self) -> bool:
        """Return True if the server captions the probe image now. Raises `ServerUnavailable`."""
        try:
            await self.request(self.asked_of_probe, PROBE_ID)
        except ImageRefused as refusal:
            raise ServerUnavailable(
                f"{self.client.address} refuses every request: {refusal}"
                f"{parameter_advice(str(refusal))}",
                cause="failing",
            ) from None
        except ServerError as error:
            self.raise_if_outage(error)
            return False
        return True

    async def probe_several_times(self) -> bool:
        """Return True if the server captions the probe image each time.

        Raises `ServerUnavailable`.
        """
        # The number is random for a server that fails every n-th request, as one of two behind a
        # load balancer does: sooner or later it fails at the probe image, too, or answers the
        # record.
        times = random.randint(1, MAX_PROBES)  # noqa: S311
        for _ in range(times):
            if not await self.probe():
                return False
        return True

    async def with_served_models(self, error: ModelNotServed) -> ServerUnavailable:
        """Return the error with the models that the server does serve, if it lists them."""
        try:
            listed = await self.client.list_models()
        except (ServerError, ImageRefused, ServerUnavailable):
            return error
        if not listed:
            return error
        text = f"{error}; it serves {self.client.redact(', '.join(listed[:20]))}"
        return ServerUnavailable(text, cause=error.cause, retry_after=error.retry_after)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one slot of the request window; wait for it, and until `retry_at`."""
        async with self.slot_freed:
            await self.slot_freed.wait_for(lambda: self.used_slots < self.window.limit)
            self.used_slots += 1
        try:
            wait = self.health.retry_at - time.monotonic()
            if wait > 0:
                await asyncio.sleep(min(wait, self.policy.max_retry_after))
            yield
        finally:
            self.used_slots -= 1
            async with self.slot_freed:
                self.slot_freed.notify_all()

    def backoff(self, tries: int) -> float:
        """Return the seconds to wait after so many tries."""
        longest = self.policy.first_backoff * 2.0 ** min(tries - 1, 10)
        longest = min(self.policy.max_backoff, longest)
        return random.uniform(longest / 2, longest)  # noqa: S311 (spreads requests)


def answer_or_raise(caption: Caption) -> Caption:
    """Return a caption. Raises `ImageProblem` if it is none."""
    answer = caption.or_failure()
    if isinstance(answer, ImageProblem):
        raise answer
    return answer


def raw_text(text: str, settings: Settings) -> str:
    """Return the raw caption that a server's answer becomes."""
    kept = settings.prefill and settings.keep_prefill
    return stripped(with_prefill(text, settings) if kept else text, settings)


def load(
    checkpoint: str | None,
    settings: Settings,
    device: str,
    report: Callable[[str], None],
    key: KeySource = NO_KEY,
) -> EndpointCaptioner:
    """Return the captioner of the server whose address is `checkpoint`.

    `device` has no meaning here. Raises `ServerUnavailable`.
    """
    report(f"asking {checkpoint} what it serves")
    return EndpointCaptioner(checkpoint or "", settings, RETRY_POLICY, key)
