"""Text shearing: the part that is kept of a caption that a model wrote. Pure functions.

The paper (arXiv 2311.18765) caps the new tokens and keeps the first sentence; its published
scripts keep the text before the first full stop.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Self

from db.rows import ProjectRow, ShearMode
from engine.shearing.cut_lead_ins import without_lead_in, without_marker
from engine.shearing.reasoning import answer_of
from engine.shearing.sentences import first_sentence

VERSION = 9
"""Raised when a text may be sheared otherwise than before, so that sheared files are made again. 2:
reasoning and chat tokens are cut. 3: so are markers of a list. 4: mode "sentence" cuts lead-ins and
leading ellipses, too, and "1. FC" is no marker of a list. 5: reasoning is cut that stands in the
tags of Gemma 4, MedGemma, Cohere, Keye-VL and others, and so are headings such as "## Caption". 6:
tags of reasoning may have a blank in them, may be written as HTML (`&lt;think&gt;`), or as tokens
(`<|thinking|>`). 7: a question that tokens of a chat mark as the user's is cut. Mode "sentence"
cuts one that labels mark, too, quotation marks and signs of Markdown around a whole caption, and
more lead-ins, also in other languages; "Okay, let me see" stays, since it is found as a leak. 8:
reasoning under headings and labels is cut, and what an answer is wrapped in (JSON, fences, tags).
Mode "sentence" knows marks in names ("Wham!") and metadata behind the caption, cuts marks of
Markdown in it and more lead-ins, and keeps "7. Sinfonie". 9: the role of a chat in a line of its
own is cut, places of images, and more wrappers (Python's literals, HTML). Mode "sentence" cuts
titles and labels in bold type before the caption, lead-ins that end with a full stop, and keeps
"3) is circled"; it goes on behind "2.5 kg.", "Fig. 4." and "the 1. FC"."""


@dataclass(frozen=True, slots=True)
class Shearing:
    """The settings with which the captions of a project are sheared."""

    mode: ShearMode = "paper"
    """"paper" cleans up as the paper's scripts do; "sentence" keeps the first sentence."""
    max_words: int | None = None
    """The cap on the words of a sheared caption; None is no cap."""

    @classmethod
    def of(cls, settings: ProjectRow) -> Self:
        """Return the shearing that a project is set to."""
        return cls(settings.shear_mode, settings.shear_max_words)

    def hash(self, log_digest: str) -> str:
        """Return the hash in the name of the sheared file of a caption log with this digest."""
        text = json.dumps([VERSION, asdict(self), log_digest], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class ShearedCaption:
    """A sheared caption and its span in the raw one: `raw[start:end] == text`.

    The span is (None, None) where the text is not one piece of the raw caption, as where lines
    were joined.
    """

    text: str
    start: int | None
    end: int | None
    ended: bool = True
    """True if the sentence reached its end; False if the raw caption ended first."""


def shear(raw: str, family: str, shearing: Shearing, finish: str = "stop") -> ShearedCaption:
    """Shear a raw caption by a model of this family; `finish` is "stop" or "length"."""
    text, ended = shear_text(raw, family, shearing, finish)
    start = raw.find(text)
    if start < 0:
        return ShearedCaption(text, None, None, ended)
    return ShearedCaption(text, start, start + len(text), ended)


def shear_text(raw: str, family: str, shearing: Shearing, finish: str) -> tuple[str, bool]:
    """Return the sheared text alone, and whether its sentence reached its end."""
    if shearing.mode == "sentence":
        return first_sentence(without_lead_in(answer_of(raw)), finish, shearing.max_words)
    return make_shearer(family, shearing)(raw, finish), finish != "length" or "." in raw


def make_shearer(family: str, shearing: Shearing) -> Callable[[str, str], str]:
    """Return the function from raw caption and finish to sheared text, for many captions."""
    clean = CLEAN_UPS.get(family, unmarked_before_full_stop)
    max_words = shearing.max_words
    if shearing.mode == "sentence":
        return lambda raw, finish: first_sentence(
            without_lead_in(answer_of(raw)), finish, max_words
        )[0]
    if max_words is None:
        return lambda raw, finish: clean(raw)
    return lambda raw, finish: " ".join(clean(raw).split()[:max_words])


def unmarked_before_full_stop(raw: str) -> str:
    """Clean up as `before_full_stop` does, but keep more than the number of a list's item.

    So it is for families that upstream does not have.
    """
    return before_full_stop(without_marker(answer_of(raw), any_number=True))


def before_full_stop(raw: str) -> str:
    """Clean up as upstream does for LLaVA and Qwen-VL (`llava.py`, `qwen.py`), which know neither
    reasoning nor chat tokens: those are cut first."""
    return answer_of(raw).partition(".")[0].strip()


def minigpt4(raw: str) -> str:
    """Clean up as upstream does for MiniGPT-4 (`conversation.py`): line breaks join two words."""
    text = raw.partition("###")[0].partition(".")[0].rpartition("Assistant:")[2].strip()
    return text.replace("\n", "").replace("\u200b", "")


def otter(raw: str) -> str:
    """Clean up as upstream does for Otter, but on the newly generated text without the prompt.

    Upstream (`Otter.py`) splits prompt and answer at blanks and drops what looks like a token, and
    with it a first word that is glued to `<answer>`.
    """
    words = raw.partition("<|endofchunk|>")[0].partition(".")[0].split()
    if "<" in raw:
        words = [word for word in words if not word.startswith("<")]
    return " ".join(words)


CLEAN_UPS: dict[str, Callable[[str], str]] = {
    "llava-1.5": before_full_stop,
    "qwen-vl": before_full_stop,
    "minigpt-4": minigpt4,
    "otter": otter,
}
"""The clean-up of each family that upstream has."""
