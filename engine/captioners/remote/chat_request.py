"""The request for one caption, as OpenAI's chat completions take it, and what servers say of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from engine.captioners.settings import MAX_TOKENS_NAMES, Settings
from engine.captioners.stated_settings import THINKING_SWITCHES
from engine.utils import jsonlines

ADVICE = {
    "max_tokens": "max_new_tokens=none",
    "max_completion_tokens": "max_new_tokens=none",
    "temperature": "temperature=none",
    "top_p": "top_p=none",
    "seed": "seed=none",
    "repetition_penalty": "repetition_penalty=none",
    "mm_processor_kwargs": "min_pixels=none and max_pixels=none",
    "chat_template_kwargs": "template=none",
    "continue_final_message": "an empty prefill",
    "add_generation_prompt": "an empty prefill",
}
"""What to set so that a parameter of a request is left out."""
SWITCHES_OFF = {"chat_template_kwargs": dict.fromkeys(THINKING_SWITCHES, False)}
NO_THINKING: tuple[dict[str, Any], ...] = (
    SWITCHES_OFF | {"reasoning_effort": "none"},
    SWITCHES_OFF,
    {"reasoning_effort": "none"},
    {"reasoning_effort": "minimal"},
    {"reasoning_effort": "low"},
    {},
)
"""Parameters that ask a model not to reason, or as little as it can; the first that a server takes
are sent. vLLM, SGLang and llama.cpp hand `chat_template_kwargs` to the chat template, and pass over
names that it does not know. Ollama and OpenAI take `reasoning_effort`, of which a model may have no
`none`, or no `minimal`."""


class AskedPicture(NamedTuple):
    """What a record's request is made of."""

    image: str
    """The picture as a data URL."""
    prompt: str
    """The prompt, with the texts of the record."""


def request_body(
    model: str,
    settings: Settings,
    asked: AskedPicture,
    record_id: int,
    no_thinking: Mapping[str, Any] = MappingProxyType({}),
) -> bytes:
    """Return the JSON of a request; `model` is the id at the server.

    `no_thinking` are one of `NO_THINKING`, under which what the settings say comes first.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": messages(settings, asked),
        settings.max_tokens_name: settings.max_new_tokens,
        "temperature": settings.temperature,
        "seed": record_seed(settings.seed, record_id),
        "stream": False,
    }
    if settings.top_p is not None:
        body["top_p"] = settings.top_p
    for name in settings.unsent_names:
        del body[settings.max_tokens_name if name == "max_new_tokens" else name]
    further = further_parameters(settings)
    for name, value in no_thinking.items():
        body[name] = value | further.pop(name, {}) if isinstance(value, dict) else value
    return jsonlines.dumps(body | further)


def messages(settings: Settings, asked: AskedPicture) -> list[dict[str, Any]]:
    """Return the conversation of a request; the last message may be the answer's beginning."""
    parts = [
        {"type": "image_url", "image_url": {"url": asked.image}},
        {"type": "text", "text": asked.prompt},
    ]
    contents = {"system": settings.system, "user": parts, "assistant": settings.prefill}
    return [{"role": role, "content": content} for role, content in contents.items() if content]


def further_parameters(settings: Settings) -> dict[str, Any]:
    """Return the parameters of vLLM and SGLang, which OpenAI's API does not have, that are set."""
    pixels = {
        name: value
        for name in ("min_pixels", "max_pixels")
        if (value := getattr(settings, name)) is not None
    }
    body: dict[str, Any] = {
        "repetition_penalty": settings.repetition_penalty,
        "mm_processor_kwargs": pixels,
        "chat_template_kwargs": settings.template_variables,
    }
    if settings.prefill:
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return {name: value for name, value in body.items() if value not in (None, {})}


def record_seed(seed: int, record_id: int) -> int:
    """Return the seed of a record's request: 31 bits, which every server takes.

    Each record has its own, for with one seed the sampling noise of all captions would be the same.
    """
    digest = hashlib.sha256(f"{seed} {record_id}".encode()).digest()
    return int.from_bytes(digest[:4]) >> 1


def parameter_advice(refusal: str) -> str:
    """Return what to do where a server's refusal names a parameter; empty where it names none."""
    named = [name for name in ADVICE if name in refusal]
    if not named:
        return ""
    advice = f"set {ADVICE[named[0]]} to leave it out"
    if named[0] in MAX_TOKENS_NAMES:
        advice += ", or max_tokens_name=max_completion_tokens"
    return f" ({advice})"
