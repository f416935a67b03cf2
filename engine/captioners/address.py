"""Where a server listens, as `--model NAME=http://host:port/v1` gives it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from engine.utils.errors import BadInput

SCHEMES = ("http://", "https://")
EXAMPLE = "http://localhost:8000/v1"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A model's name is a folder of captions, too."""


def is_address(text: str) -> bool:
    return text.lower().startswith(SCHEMES)


def read_address(text: str) -> str:
    """The address as it is stored. Raises `BadInput`, which never repeats a password."""
    if not is_address(text):
        raise BadInput(f"{text!r} is no server's address: write one such as {EXAMPLE}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BadInput(f"that is no server's address: write one such as {EXAMPLE}") from None
    if "@" in parts.netloc:
        raise BadInput(
            "an address with a user or a password would be stored with the project: put the key"
            " into the environment as MLLMAUG_API_KEY"
        )
    if parts.query or parts.fragment:
        raise BadInput(
            "an address must end before '?' and '#', a key in it would be stored with the"
            f" project: write one such as {EXAMPLE}"
        )
    if not parts.hostname or port == 0 or not text.isprintable() or " " in text:
        raise BadInput(f"{text!r} is no server's address: write one such as {EXAMPLE}")
    path = parts.path.rstrip("/")
    if path.endswith(("/completions", "/models", "/responses")):
        raise BadInput(f"{text!r}: write the address as far as /v1, such as {EXAMPLE}")
    return f"{parts.scheme}://{parts.netloc}{path}"


def check_name(name: str) -> None:
    """Raises `BadInput`."""
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot name a model: letters, digits, '.', '_' and '-', 64 at most,"
            " a letter or digit first"
        )
