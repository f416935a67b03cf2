"""The prompt of one record: drawn from several, and filled with texts of the record.

`{KEY}` in a prompt stands for what the record has under that key, such as its original caption:
`{{KEY}}` is written for the same characters as they are. All other braces are characters like any.
What a record holds comes from anybody. It is made one line, and what may be a control token of a
model is taken apart by a space, so that it cannot end the user's turn. Imports no torch.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.captioners.settings import Settings
from engine.images.image import ImageProblem

KEY = re.compile(r"\{\{(\w+)\}\}|\{(\w+)\}")
"""A key with its braces: in doubled ones it is no key."""
CAPTION_KEY = "caption"
"""The key that a caption takes the place of in the prompt of a scorer."""
BEGIN, END = "\ue000", "\ue001"
"""Characters for private use, around a key in a text that a chat template rendered."""
MARK = re.compile(f"{BEGIN}(\\w+){END}")
MAX_CHARACTERS = 4_000
"""Most characters of a record's text in a prompt: some thousand tokens, which every model takes."""
UNSHOWN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff]+")
"""White space, and characters that no text needs. Marks of our own are among the private ones."""
CONTROL = re.compile(r"([<\uff1c])(?=[^\s\d])|(\[)(?=/?[A-Z_]{2,}\])|([|\uff5c])(?=>)")
"""The first characters of `<|im_end|>`, `</s>`, `<image>`, `[INST]` and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRecord:
    """What a prompt depends on in a record."""

    record_id: int
    texts: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The texts of the record that the prompt asks for, by key."""


def keys_of(prompt: str) -> tuple[str, ...]:
    """Return the keys in a prompt, each once."""
    return tuple(dict.fromkeys(match[2] for match in KEY.finditer(prompt) if match[2]))


def keys_of_settings(settings: Settings) -> tuple[str, ...]:
    """Return the keys in all prompts of a model, each once."""
    return keys_of("\n".join(settings.prompt_choices))


def draw(seed: int, record_id: int, choices: int) -> int:
    """Return which of so many prompts a record gets, from 0 on: by seed and record id alone."""
    if choices == 1:
        return 0
    digest = hashlib.sha256(f"prompt {seed} {record_id}".encode()).digest()
    return int.from_bytes(digest[:8]) % choices


def drawn_prompt(settings: Settings, record_id: int) -> str:
    """Return the prompt that a record gets, with its keys as they are written."""
    choices = settings.prompt_choices
    return choices[draw(settings.seed, record_id, len(choices))]


def texts_of(record: Mapping[str, Any], keys: Collection[str]) -> dict[str, str]:
    """Return what a record has under these keys, as one line each; what is no text is left out.

    A text that is too long is cut to one character more than a prompt takes.
    """
    found: dict[str, str] = {}
    for key in keys:
        value = record.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str):
            text = one_line(value)
            if text:
                found[key] = text[: MAX_CHARACTERS + 1]
    return found


def one_line(text: str) -> str:
    """Return a text as one line, without characters that no text needs."""
    return UNSHOWN.sub(" ", text).strip()


def fill(prompt: str, texts: Mapping[str, str]) -> str:
    """Return a prompt with the texts in place of its keys. Raises `ImageProblem` for one it lacks.

    The texts are as `texts_of` returns them.
    """
    return fill_marks(mark_keys(prompt), texts)


def mark_keys(prompt: str) -> str:
    """Return a prompt with marks in place of its keys: characters that no template looks at."""
    return KEY.sub(lambda it: f"{BEGIN}{it[2]}{END}" if it[2] else f"{{{it[1]}}}", prompt)


def fill_marks(text: str, texts: Mapping[str, str], take_apart: Callable[[str], str] = str) -> str:
    """Return a text with the texts of a record in place of its marks.

    `take_apart` breaks further control tokens. Raises `ImageProblem` for a text that is not there
    or too long.
    """
    return MARK.sub(lambda it: take_apart(usable(it[1], texts)), text)


def sample_texts(keys: Collection[str]) -> dict[str, str]:
    """Return texts for a picture that is no record's: each key's own name."""
    return {key: key for key in keys}


def usable(key: str, texts: Mapping[str, str]) -> str:
    """Return the text under a key, without control tokens. Raises `ImageProblem`."""
    text = texts.get(key)
    if text is None:
        raise ImageProblem(
            "unusable_text", f"the prompt asks for {{{key}}}, under which the record has no text"
        )
    if len(text) > MAX_CHARACTERS:
        raise ImageProblem(
            "unusable_text",
            f"the prompt asks for {{{key}}}, which has more than {MAX_CHARACTERS:,} characters",
        )
    return CONTROL.sub(lambda it: f"{it[0]} ", text)
