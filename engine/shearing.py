"""Text shearing: what is kept of a caption that a model wrote. Pure functions.

The paper (arXiv 2311.18765) caps the new tokens and keeps the first sentence; its published
scripts keep the text before the first full stop.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from db.rows import ShearMode
from engine.sentences import first_sentence


@dataclass(frozen=True, slots=True)
class Shearing:
    """How a project's captions are sheared."""

    mode: ShearMode = "paper"
    max_words: int | None = None

    def hash(self, log_digest: str) -> str:
        """Names the sheared file of a caption log with this digest."""
        text = json.dumps([asdict(self), log_digest], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Sheared:
    """`raw[start:end] == text` where the span is known; joined lines have none (None, None)."""

    text: str
    start: int | None
    end: int | None
    ended: bool = True
    """Whether the sentence came to its end; if not, the text ended first."""


def shear(raw: str, family: str, shearing: Shearing, finish: str = "stop") -> Sheared:
    """The kept part of a caption by a model of this family; `finish` is stop or length."""
    text, ended = kept_part(raw, family, shearing, finish)
    start = raw.find(text)
    if start < 0:
        return Sheared(text, None, None, ended)
    return Sheared(text, start, start + len(text), ended)


def kept_part(raw: str, family: str, shearing: Shearing, finish: str) -> tuple[str, bool]:
    """The kept text alone, and whether its sentence ended."""
    if shearing.mode == "sentence":
        return first_sentence(raw, finish, shearing.max_words)
    kept = CLEAN_UPS.get(family, before_full_stop)(raw)
    if shearing.max_words is not None:
        kept = " ".join(kept.split()[: shearing.max_words])
    return kept, finish != "length" or "." in raw


def before_full_stop(raw: str) -> str:
    """LLaVA's and Qwen-VL's clean-up upstream (`caption_llava.py`, `caption_qwen.py`)."""
    return raw.strip().split(".")[0].strip()


CLEAN_UPS: dict[str, Callable[[str], str]] = {}
"""Families whose upstream script cleans up in another way."""
