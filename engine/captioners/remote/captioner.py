"""Any OpenAI-compatible server (vLLM, SGLang, LMDeploy, `transformers serve`): asked about many
images at a time, again where it fails, and never by way of a record's failure for its own.

What the server does wrong is told from what an image does to it by a picture of our own: a record
is failed here only while the server captions that one. When the server goes away it is said which
records were with it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from io import BytesIO
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image

from engine.captioners.base import Caption, Remote, Unavailable
from engine.captioners.registry import Settings
from engine.captioners.remote.client import NoModel, Patience, Refused, Server, Trouble
from engine.captioners.remote.concurrency import Window
from engine.captioners.remote.probe_image import drawing
from engine.images.image import ImageProblem, Picture
from engine.utils import jsonlines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
"""Formats that every server reads, sent as they lie on disk."""
MODES = ("RGB", "RGBA", "L", "P")
"""Of these, what every server reads rightly: not CMYK, not 16 bits."""
MOST_BYTES = 2 * 2**20
"""Larger files are sent as a JPEG of `LONGEST_SIDE`: no model here sees more."""
LONGEST_SIDE = 2048
QUALITY = 95

PATIENCE = Patience()

OWN = -1
"""In the place of a record: our own picture."""
OWN_TIMES = 4
"""It is asked about before a failure is a record's, at most."""

T = TypeVar("T")


class Endpoint(Remote):
    """Requests run in an event loop of their own, in a thread of its own."""

    def __init__(self, address: str, settings: Settings, patience: Patience = PATIENCE) -> None:
        """Raises `Unavailable`."""
        self.settings = settings
        self.patience = patience
        self.server = Server(address, settings.batch, patience)
        self.batch = settings.batch
        self.window = Window(settings.batch)
        self.active = 0
        self.closed_until = 0.0
        """When the server wants to be asked again, on the monotonic clock."""
        self.answered = 0.0
        """When it last did."""
        self.failing_since = -1.0
        self.sent: dict[int, float] = {}
        """When the records that are with the server were sent."""
        self.broken: set[int] = set()
        """Records that were with the server when it began to fail, and are not answered since."""
        self.own = data_url(drawing(), None, b"")
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.turn, daemon=True, name="requests").start()
        self.free = asyncio.Condition()
        try:
            self.model = self.start(self.find_model()).result()
        except BaseException:
            self.close()
            raise

    def turn(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def close(self) -> None:
        self.start(self.server.close()).add_done_callback(
            lambda _: self.loop.call_soon_threadsafe(self.loop.stop)
        )

    async def find_model(self) -> str:
        """The model to ask for. Raises `Unavailable`."""
        named, listed = self.settings.served_model, None
        try:
            listed = await self.server.models()
        except Refused as refused:
            raise Unavailable(f"{self.server.address}: {refused}") from None
        except Trouble as trouble:
            # One that is there may caption although it has no list.
            if not (named and trouble.of_record):
                raise Unavailable(str(trouble), trouble.after or 0.0) from None
        if named:
            return named
        if listed is not None and len(listed) == 1:
            return listed[0]
        serves = "serves no model" if not listed else f"serves {', '.join(listed[:20])}"
        if listed is None:
            serves = "does not say what it serves"
        raise Unavailable(
            f"{self.server.address} {serves}: name the model to ask for with the setting"
            " served_model"
        )

    def prepare(self, picture: Picture) -> str:
        """A data URL. Decodes every image, so that a damaged one fails here as anywhere."""
        picture.decode()
        format = picture.image.format or ""
        plain = format in TYPES and picture.mode in MODES and len(picture.data) <= MOST_BYTES
        return data_url(
            picture.image if plain else picture.rgb(),
            TYPES[format] if plain else None,
            picture.data,
        )

    def ask(self, prepared: str, record: int, alone: bool = False) -> Future[Caption]:
        return self.start(self.answer(prepared, record, alone))

    async def answer(self, image: str, record: int, alone: bool) -> Caption:
        """Raises `ImageProblem`, `Unavailable`."""
        self.broken.discard(record)
        for tries in count(1):
            if not alone or await self.answers_own():
                break
            await asyncio.sleep(self.pause(tries))
        refusals = proofs = 0
        for tries in count(1):
            try:
                return await self.request(image, record)
            except Refused as refused:
                # Which finds out if it refuses everything.
                refusals += await self.answers_own_some_times()
                if refusals >= self.patience.refusals:
                    raise ImageProblem("refused", str(refused)) from None
            except Trouble as trouble:
                often = tries >= self.patience.tries or self.gone(trouble)
                if not (often and trouble.of_record):
                    self.lose_patience(trouble)
                else:
                    # It may be the record, and is the server where it fails at ours, too.
                    proofs = proofs + 1 if await self.answers_own_some_times() else 0
                    if proofs >= self.patience.proofs:
                        raise ImageProblem("unanswered", str(trouble)) from None
            await asyncio.sleep(self.pause(tries))
        raise AssertionError

    async def request(self, image: str, record: int) -> Caption:
        """One try. Raises `Trouble`, `Refused`, `Unavailable`."""
        async with self.place():
            began = self.sent[record] = time.monotonic()
            try:
                caption = await self.server.caption(self.body(image, record))
            except Trouble as trouble:
                now = time.monotonic()
                if not self.failing:
                    self.failing_since = now
                    self.broken.clear()
                if trouble.of_record and began <= self.failing_since:
                    self.broken.add(record)
                if trouble.congested:
                    self.window.congested(began, now)
                if trouble.after:
                    self.closed_until = max(self.closed_until, now + trouble.after)
                self.heard += 1
                raise
            except NoModel as gone:
                raise await self.with_models(gone) from None
            finally:
                self.sent.pop(record, None)
            self.heard += 1
            now = self.answered = time.monotonic()
            if now - began > self.patience.request / 2:
                self.window.congested(began, now)
            else:
                self.window.answered(began, now)
            return caption

    @property
    def failing(self) -> bool:
        """Whether nothing was answered well since the first failure."""
        return self.failing_since >= self.answered

    def gone(self, trouble: Trouble) -> bool:
        """Whether asking again here makes no sense, if it is the server."""
        if trouble.down and self.lost():
            return True
        since = self.failing_since if self.failing else time.monotonic()
        failing = time.monotonic() - since > self.patience.failing
        return failing or (trouble.after or 0.0) > self.patience.longest_wait

    def lost(self) -> set[int]:
        """Records that were with the server when it stopped answering."""
        if not self.failing:
            return set()
        hanging = {it for it, sent in self.sent.items() if sent <= self.failing_since}
        return (self.broken | hanging) - {OWN}

    def lose_patience(self, trouble: Trouble) -> None:
        """Raises `Unavailable`."""
        if self.gone(trouble):
            asked_to_wait = not (trouble.of_record or trouble.down)
            records = () if asked_to_wait else self.lost()
            raise Unavailable(str(trouble), trouble.after or 0.0, records)

    async def answers_own(self) -> bool:
        """Whether the server captions our own picture now. Raises `Unavailable`."""
        try:
            await self.request(self.own, OWN)
        except Refused as refused:
            raise Unavailable(
                f"{self.server.address} refuses whatever it is asked: {refused}"
            ) from None
        except Trouble as trouble:
            self.lose_patience(trouble)
            return False
        return True

    async def answers_own_some_times(self) -> bool:
        """How often is left to chance, so that a server that fails every so many times, as one of
        two behind a balancer does, fails at ours, too, or answers the record."""
        times = random.randint(1, OWN_TIMES)  # noqa: S311
        for _ in range(times):
            if not await self.answers_own():
                return False
        return True

    async def with_models(self, gone: NoModel) -> Unavailable:
        """A server that does not know the model says what it knows."""
        try:
            listed = await self.server.models()
        except (Trouble, Refused, Unavailable):
            return gone
        if not listed:
            return gone
        return Unavailable(f"{gone}; it serves {', '.join(listed[:20])}", gone.seconds)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the requests in flight."""
        async with self.free:
            await self.free.wait_for(lambda: self.active < self.window.limit)
            self.active += 1
        try:
            wait = self.closed_until - time.monotonic()
            if wait > 0:
                await asyncio.sleep(min(wait, self.patience.longest_wait))
            yield
        finally:
            self.active -= 1
            async with self.free:
                self.free.notify_all()

    def pause(self, tries: int) -> float:
        longest = self.patience.first_pause * 2.0 ** min(tries - 1, 10)
        longest = min(self.patience.longest_pause, longest)
        return random.uniform(longest / 2, longest)  # noqa: S311 (spreads requests)

    def body(self, image: str, record: int) -> bytes:
        settings = self.settings
        parts = [
            {"type": "image_url", "image_url": {"url": image}},
            {"type": "text", "text": settings.prompt},
        ]
        wanted: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": parts}],
            "max_tokens": settings.max_new_tokens,
            "temperature": settings.temperature,
            "seed": seed_of(settings.seed, record),
            "stream": False,
        }
        if settings.top_p is not None:
            wanted["top_p"] = settings.top_p
        return jsonlines.dumps(wanted)


def data_url(image: Image.Image, kind: str | None, data: bytes) -> str:
    """Of the file's bytes, or, without a media type, of the pixels as a JPEG."""
    if kind is None:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        file = BytesIO()
        image.save(file, "JPEG", quality=QUALITY)
        kind, data = "image/jpeg", file.getvalue()
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def seed_of(seed: int, record: int) -> int:
    """Each record has its own: with one for all, all would draw the same noise. 31 bits, which
    every server takes."""
    digest = hashlib.sha256(f"{seed} {record}".encode()).digest()
    return int.from_bytes(digest[:4]) >> 1


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> Endpoint:
    """Raises `Unavailable`."""
    report(f"asking {checkpoint} what it serves")
    return Endpoint(checkpoint or "", settings, PATIENCE)
