"""Conversations about an image: LLaVA's turns, and the messages of chat models.

LLaVA writes `{"from": "gpt", "value": TEXT}`; ms-swift, LLaMA-Factory, TRL and OpenAI's form
`{"role": "assistant", "content": TEXT}`, where a list of parts may stand instead of the text.
"""

from __future__ import annotations

import re
from typing import Any

ANSWERS = ("conversations", "conversation", "messages", "completion", "response", "output")
"""Usual names of what a model shall answer, in lower case; the first one with an answer counts."""
TURNS = ("conversations", "conversation", "messages", "prompt")
"""Usual names of what is said about an image, in lower case."""
ANSWERING = {"gpt", "assistant", "model", "chatgpt", "bot"}
"""Who answers, in lower case."""
IMAGE_PARTS = ("image", "image_url", "path", "url")
"""The keys of the path of a part of type `image` or `image_url`."""
TAGGED = re.compile(r"<img>(.+?)</img>")
"""An image path within a text, as Qwen-VL writes it."""


def is_turn(item: Any) -> bool:
    """Return True if an item of a list is what somebody says."""
    return isinstance(item, dict) and (
        ("from" in item and "value" in item) or ("role" in item and "content" in item)
    )


def answer_of(turns: list[Any]) -> list[str]:
    """Return the first answer that is a text in a list of its own; nothing if there is none."""
    for turn in filter(is_turn, turns):
        speaker, content = (
            (turn["from"], turn["value"]) if "from" in turn else (turn["role"], turn["content"])
        )
        if isinstance(speaker, str) and speaker.lower() in ANSWERING:
            text = text_of(content).strip()
            return [text] if text else []
    return []


def text_of(content: Any) -> str:
    """Return the text of a message, whose content is a text or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def pictures_of(turns: Any) -> list[Any]:
    """Return the paths of the images that stand in the messages themselves."""
    found: list[Any] = []
    for turn in filter(is_turn, turns if isinstance(turns, list) else []):
        content = turn["content"] if "content" in turn else turn["value"]
        if isinstance(content, str):
            found += TAGGED.findall(content)
        for part in content if isinstance(content, list) else []:
            if isinstance(part, dict) and part.get("type") in ("image", "image_url"):
                found += filter(None, [picture_of(part)])
    return found


def picture_of(part: dict[str, Any]) -> Any:
    """Return the path of a part that is an image, or None if the part does not name it."""
    item = next((part[name] for name in IMAGE_PARTS if part.get(name)), None)
    return item.get("url") if isinstance(item, dict) and "url" in item else item
