"""Conversations with media, as three trainers read them.

LLaMA-Factory (hiyouga/LLaMA-Factory 02e2fb3, src/llamafactory/data/converter.py and mm_plugin.py,
with `messages` and `images` as columns in dataset_info.json), ms-swift (its page "Custom dataset")
and TRL (its page "Dataset formats").
"""

from __future__ import annotations

import json
from pathlib import Path

PLACEHOLDERS = ("<image>", "<video>", "<audio>")
"""What LLaMA-Factory and ms-swift count in all messages: there must be as many as files."""


def conversations(path: Path) -> list[tuple[str, str, str]]:
    """Return (image path, question, answer) of each line; an epoch has each of them once."""
    found = []
    for line in path.read_bytes().splitlines():
        record = json.loads(line)
        user, assistant = record["messages"]
        assert (user["role"], assistant["role"]) == ("user", "assistant")
        (image,) = record["images"]
        text = user["content"] + assistant["content"]
        assert [text.count(placeholder) for placeholder in PLACEHOLDERS] == [1, 0, 0]
        found.append((image, user["content"], assistant["content"]))
    return found
