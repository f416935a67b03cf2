"""The request for one caption, as OpenAI's chat completions take it, and what servers say of it."""

from __future__ import annotations

import hashlib
from typing import Any

from engine.captioners.settings import Settings
from engine.utils import jsonlines

PARAMETER_SETTINGS = {
    "max_tokens": "max_new_tokens",
    "max_completion_tokens": "max_new_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
}
"""The setting that each parameter of a request has its value from."""


def request_body(model: str, settings: Settings, image: str, record_id: int) -> bytes:
    """Return the JSON of a request; `model` is the id at the server, `image` a data URL."""
    parts = [
        {"type": "image_url", "image_url": {"url": image}},
        {"type": "text", "text": settings.prompt},
    ]
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": parts}],
        settings.max_tokens_name: settings.max_new_tokens,
        "temperature": settings.temperature,
        "seed": record_seed(settings.seed, record_id),
        "stream": False,
    }
    if settings.top_p is not None:
        body["top_p"] = settings.top_p
    for name in settings.unsent_names:
        del body[settings.max_tokens_name if name == "max_new_tokens" else name]
    return jsonlines.dumps(body)


def record_seed(seed: int, record_id: int) -> int:
    """Return the seed of a record's request: 31 bits, which every server takes.

    Each record has its own, for with one seed the sampling noise of all captions would be the same.
    """
    digest = hashlib.sha256(f"{seed} {record_id}".encode()).digest()
    return int.from_bytes(digest[:4]) >> 1


def parameter_advice(refusal: str) -> str:
    """Return what to do where a server's refusal names a parameter; empty where it names none."""
    named = [name for name in PARAMETER_SETTINGS if name in refusal]
    if not named:
        return ""
    setting = PARAMETER_SETTINGS[named[0]]
    advice = f"set {setting}=none to leave it out"
    if setting == "max_new_tokens":
        advice += ", or max_tokens_name=max_completion_tokens"
    return f" ({advice})"
