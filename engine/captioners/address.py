"""The addresses of servers, as `--model NAME=http://host:port/v1` gives them, and models' names.

Both come from outside: an address must not carry a secret into the project's files, and a name must
not lead out of the project's folder.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from engine.utils.errors import BadInput

SCHEMES = ("http://", "https://")
"""How an address begins, in lower case."""
EXAMPLE = "http://localhost:8000/v1"
"""The address that messages show: vLLM's default port."""
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A pattern of whole model names, which are also names of folders."""
NETLOC = re.compile(r"(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
"""A pattern of host and port, in lower case, that every program reads alike."""
DEFAULT_PORTS = {"http": 80, "https": 443}


def is_address(text: str) -> bool:
    """Return True if the text begins as the address of a server does."""
    return text.lower().startswith(SCHEMES)


def read_address(text: str) -> str:
    """Return the address as it is stored.

    Raises `BadInput`, whose message never repeats a password or key.
    """
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
            " into the environment as MLLMAUG_API_KEY_ with the model's name in upper case"
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
        raise BadInput(f"{text!r}: write the address up to /v1, such as {EXAMPLE}")
    return f"{parts.scheme}://{parts.netloc}{path}"


def origin_of(address: str) -> str | None:
    """Return `SCHEME://HOST[:PORT]` of an address, in lower case and without a default port.

    Returns None for a host that two programs may read differently: one with a user, a backslash, a
    letter beyond ASCII.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    match = NETLOC.fullmatch(parts.netloc.lower())
    if match is None or parts.scheme not in DEFAULT_PORTS or not address.isprintable():
        return None
    port = int(match["port"] or DEFAULT_PORTS[parts.scheme])
    suffix = "" if port == DEFAULT_PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{match['host']}{suffix}"


def is_loopback(origin: str) -> bool:
    """Return True if what is sent to this origin does not leave the machine."""
    host = urlsplit(origin).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_name(name: str) -> None:
    """Raise `BadInput` for text that cannot name a model."""
    if not MODEL_NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot name a model: letters, digits, '.', '_' and '-', 64 at most,"
            " a letter or digit first"
        )
