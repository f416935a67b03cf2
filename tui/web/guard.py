"""Which requests of browsers are answered: those of whoever has the token, and of no other site.

The server listens on loopback alone, where all users of the machine and all pages in the user's
browser can reach it. So every request needs the token, its `Host` must be loopback (a page of
another name that resolves to 127.0.0.1, "DNS rebinding", sends its own), and a page of another
origin may not open the websocket.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self'; connect-src 'self' ws://{host}; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: nothing from elsewhere (textual-serve's page asks Google for a font), and
no other page may show it in a frame."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of one server."""

    port: int
    token: str

    @property
    def host(self) -> str:
        """The host and port by which the server is reached."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def address(self) -> str:
        """The address to open in a browser, with the token."""
        return f"http://{self.host}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token: cookies do not tell ports apart."""
        return f"mllmaug-tui-{self.port}"

    def refusal(self, host: str, origin: str | None, tokens: tuple[str | None, ...]) -> str | None:
        """Return why a request is refused, None if it is answered.

        `host` and `origin` are its headers, `tokens` what it has as a token, each None if absent.
        """
        if host != self.host:
            return f"This server answers to http://{self.host} alone: forward the same port."
        if origin is not None and origin != f"http://{self.host}":
            return "Another page may not use this server."
        if not any(token is not None and self.is_token(token) for token in tokens):
            return "Open the address that 'mllmaug-tui web' printed, with its token."
        return None

    def is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "replace"), self.token.encode())

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of every answer."""
        return {
            "Content-Security-Policy": CONTENT_POLICY.format(host=self.host),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
