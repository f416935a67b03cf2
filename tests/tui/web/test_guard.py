"""Which requests of browsers are answered."""

from __future__ import annotations

import pytest

from tui.web.guard import Guard

GUARD = Guard(8000, "secret")
HERE = "127.0.0.1:8000"


@pytest.mark.parametrize(
    ("host", "origin", "tokens", "reason"),
    [
        (HERE, None, ("secret", None), None),
        (HERE, None, (None, "secret"), None),
        (HERE, None, ("wrong", "secret"), None),
        (HERE, f"http://{HERE}", (None, "secret"), None),
        (HERE, None, (None, None), "Open the address"),
        (HERE, None, ("", ""), "Open the address"),
        (HERE, None, ("Secret", "secre"), "Open the address"),
        (HERE, None, ("sécret\ud800", None), "Open the address"),
        ("evil.example:8000", None, ("secret", None), "forward the same port"),
        ("127.0.0.1.evil.example:8000", None, ("secret", None), "forward the same port"),
        ("127.0.0.1:9000", None, ("secret", None), "forward the same port"),
        ("localhost:8000", None, ("secret", None), "forward the same port"),
        ("", None, ("secret", None), "forward the same port"),
        (HERE, "https://evil.example", (None, "secret"), "Another page"),
        (HERE, "http://127.0.0.1:9000", (None, "secret"), "Another page"),
        (HERE, "null", (None, "secret"), "Another page"),
    ],
)
def test_who_is_answered(
    host: str, origin: str | None, tokens: tuple[str | None, ...], reason: str | None
) -> None:
    refusal = GUARD.refusal(host, origin, tokens)
    assert refusal is None if reason is None else reason in (refusal or "")


def test_the_address_holds_the_token_and_no_header_does() -> None:
    assert GUARD.address == "http://127.0.0.1:8000/?token=secret"
    assert "secret" not in str(GUARD.headers)
