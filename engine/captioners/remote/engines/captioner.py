"""The captioner of a checkpoint that an engine serves: it starts the server and asks it.

A server that has ended, or captions nothing, is unavailable, as any other: the worker unloads the
model, which ends what is left of the server, and the next load starts another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from engine.captioners.api_keys import NO_KEY, KeySource
from engine.captioners.base import Caption, ServerUnavailable
from engine.captioners.errors import CheckpointError
from engine.captioners.remote import captioner
from engine.captioners.remote.captioner import EndpointCaptioner
from engine.captioners.remote.client import RetryPolicy, ServerError
from engine.captioners.remote.engines.commands import server_command
from engine.captioners.remote.engines.server_process import ServerProcess, start_server
from engine.captioners.settings import Settings

SLOW_REQUEST_SECONDS = 1200.0
"""Seconds within which a server must answer a request on a CPU, where a 7B model may take minutes
for one image, and the first one on any device, for which an engine may compile. Less than the
supervisor waits for a sign of life."""
ENDING_SECONDS = 2.0
"""Seconds within which a server that does not listen any more has ended, as a rule."""


class ServedCaptioner(EndpointCaptioner):
    """The client of a server that this process has started, and that ends with it."""

    def __init__(self, server: ServerProcess, settings: Settings, policy: RetryPolicy) -> None:
        """Connect, and have the probe image captioned. Raises `ServerUnavailable`."""
        self.server = server
        super().__init__(server.address, settings, patient(policy), own_key=server.key)
        try:
            self.start(self.prove()).result()
            self.policy = self.client.policy = policy
        except BaseException:
            super().close()
            raise

    async def prove(self) -> None:
        """Return once the server has captioned the probe image. Raises `ServerUnavailable`."""
        for tries in count(1):
            if await self.probe():
                return
            await asyncio.sleep(self.backoff(tries))

    async def send(self, body: bytes, record_id: int) -> Caption:
        """Send a request, unless the server has ended: its port may be somebody else's by now."""
        if self.server.keeper.poll() is not None:
            raise ServerError(
                self.server.why_ended() or "", cause="unreachable", may_be_record=False
            )
        return await super().send(body, record_id)

    def raise_if_outage(self, error: ServerError) -> None:
        """Raise `ServerUnavailable` if the server has ended, or should not be asked again."""
        if error.unreachable:  # it is about to end, or its keeper ends what it has left behind
            self.server.has_ended(ENDING_SECONDS)
        ended = self.server.why_ended()
        if ended is None:
            super().raise_if_outage(error)
            return
        raise ServerUnavailable(ended, cause="unreachable", record_ids=self.health.lost_records())

    def close(self) -> None:
        super().close()
        self.server.close()


def patient(policy: RetryPolicy) -> RetryPolicy:
    """Return the policy for requests that may take long."""
    seconds = max(SLOW_REQUEST_SECONDS, policy.request_timeout)
    return replace(policy, request_timeout=seconds)


def load(
    checkpoint: str | None,
    settings: Settings,
    device: str,
    report: Callable[[str], None],
    key: KeySource = NO_KEY,
) -> ServedCaptioner:
    """Start a server for a checkpoint folder on a device, and return its captioner.

    `key` is not needed: the server gets one of its own. Raises `CheckpointError`.
    """
    folder = checkpoint or ""
    server = start_server(
        lambda port, its_key: server_command(settings, folder, device, port, its_key), report
    )
    asked = replace(settings, served_model=server.command.served_model)
    policy = captioner.RETRY_POLICY
    policy = patient(policy) if device == "cpu" else policy
    try:
        report("asking the server for a first caption")
        return ServedCaptioner(server, asked, policy)
    except ServerUnavailable as error:
        server.close()
        raise CheckpointError(f"the server does not caption: {error}") from error
    except BaseException:
        server.close()
        raise
