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
from engine.shearing.sentences import first_sentence


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
    return shearer(family, shearing)(raw, finish), finish != "length" or "." in raw


def shearer(family: str, shearing: Shearing) -> Callable[[str, str], str]:
    """From raw text and finish to the kept text: chosen once for many captions."""
    clean = CLEAN_UPS.get(family, before_full_stop)
    words = shearing.max_words
    if shearing.mode == "sentence":
        return lambda raw, finish: first_sentence(raw, finish, words)[0]
    if words is None:
        return lambda raw, finish: clean(raw)
    return lambda raw, finish: " ".join(clean(raw).split()[:words])


def before_full_stop(raw: str) -> str:
    """LLaVA's and Qwen-VL's clean-up upstream (`llava.py`, `qwen.py`)."""
    return raw.partition(".")[0].strip()


def minigpt4(raw: str) -> str:
    """MiniGPT-4's upstream (`conversation.py`): words around a line break are joined."""
    text = raw.partition("###")[0].partition(".")[0].rpartition("Assistant:")[2].strip()
    return text.replace("\n", "").replace("\u200b", "")


def otter(raw: str) -> str:
    """Otter's, on the newly generated text alone, which no word of the prompt precedes.

    Upstream splits at blanks and drops what looks like a token: see `otter_upstream`.
    """
    words = raw.partition("<|endofchunk|>")[0].partition(".")[0].split()
    if "<" in raw:
        words = [word for word in words if not word.startswith("<")]
    return " ".join(words)


def otter_upstream(whole: str) -> str:
    """Otter's as upstream has it, on prompt and answer together (`Otter.py`).

    A first word that is glued to `<answer>` is lost: kept as a reference only.
    """
    words = [word for word in whole.split(" ") if not word.startswith("<")]
    answer = words[words.index("GPT:") + 1 :]
    return " ".join(answer).split("<|endofchunk|>")[0].split(".")[0].strip()


CLEAN_UPS: dict[str, Callable[[str], str]] = {"minigpt-4": minigpt4, "otter": otter}
"""Families whose upstream script cleans up in another way."""
