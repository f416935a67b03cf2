"""The server behind `mllmaug-tui web`: textual-serve's, with a guard in front of it."""

from __future__ import annotations

import secrets
import shlex
import socket
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from textual_serve.server import Server

from engine.utils.errors import BadInput
from tui.web.guard import LOOPBACK, Guard

TOKEN_BYTES = 24
"""Random bytes of the token: more than anybody guesses."""
USUAL_PORT = 8000
"""The port that is taken if it is free and no other is named."""
FOCUS = (
    '<script>addEventListener("load", () =>'
    ' document.querySelector(".xterm-helper-textarea")?.focus())</script></body>'
)
"""The end of the page: the terminal, which textual-serve's script makes once the page is loaded,
gets the keys without a click."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GuardedServer(Server):
    """Serves an application to whoever has the token."""

    def __init__(self, command: Sequence[str], title: str, guard: Guard) -> None:
        """`command` starts the application, once for each window of a browser."""
        # The shell that textual-serve starts gets it quoted, and is replaced by the application.
        quoted = f"exec {shlex.join(command)}"
        super().__init__(quoted, LOOPBACK, guard.port, title, f"http://{guard.host}")
        self.guard = guard

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self.answer(request, handler)

        app.middlewares.append(check)
        app.on_response_prepare.append(self.add_headers)
        return app

    async def handle_index(self, request: web.Request) -> web.StreamResponse:
        """Return textual-serve's page, which gives the keyboard to the terminal."""
        response = await super().handle_index(request)
        if isinstance(response, web.Response) and response.text is not None:
            response.text = response.text.replace("</body>", FOCUS, 1)
        return response

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a request, or have it answered; a browser that has the token keeps it."""
        in_address, in_cookie = request.query.get("token"), request.cookies.get(self.guard.cookie)
        origin = request.headers.get("Origin")
        refusal = self.guard.refusal(request.host, origin, (in_address, in_cookie))
        if refusal is not None:
            return web.Response(status=403, text=f"{refusal}\n")
        response = await handler(request)
        if in_address is not None and not response.prepared:
            token = self.guard.token
            response.set_cookie(self.guard.cookie, token, httponly=True, samesite="Strict")
        return response

    async def add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self.guard.headers)

    async def on_startup(self, app: web.Application) -> None:
        """Print nothing: the command has printed what to do."""


def bind(port: int | None) -> socket.socket:
    """Return a socket on loopback: on a port, or on a free one. Raises `BadInput`."""
    if port is None:
        try:
            return bind_to(USUAL_PORT)
        except OSError:
            return bind_to(0)
    try:
        return bind_to(port)
    except OSError as error:
        raise BadInput(f"port {port} cannot be used: {error.strerror or error}") from error


def bind_to(port: int) -> socket.socket:
    """Return a socket on a port of loopback, 0 for a free one. Raises `OSError`."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    return bound


def guard_for(bound: socket.socket) -> Guard:
    """Return the guard of a server on a socket, with a new token."""
    return Guard(bound.getsockname()[1], secrets.token_urlsafe(TOKEN_BYTES))


def serve(bound: socket.socket, guard: Guard, command: Sequence[str], title: str) -> None:
    """Serve the application until SIGINT or SIGTERM."""
    server = GuardedServer(command, title, guard)
    web.run_app(server._make_app(), sock=bound, print=None, access_log=None)
