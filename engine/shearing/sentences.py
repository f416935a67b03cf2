"""The first sentence of a caption, by a sentence splitter, and what to do with an unfinished one.

sentencex was chosen by measurement among pysbd, sentencex, blingfire and syntok, with the list
`tests/engine/sentences.txt`: see there, and `python -m tests.bench sentences`. blingfire splits
a little better and has had no release since 2021; the others are slower by an order or two.
"""

# ruff: noqa: RUF001 (full stops and quotation marks of many scripts)
from __future__ import annotations

import re
from functools import lru_cache

import sentencex

STOP = re.compile(r"[.!?…。！？｡।॥۔؟։።]")
ENDED = re.compile(r"[.!?…。！？｡।॥۔؟։።][\"'”’»)\]」』]*$")
MARKERS = re.compile(r"###|<\|endofchunk\|>|<\|endoftext\|>|</s>|<PAD>|\n\s*\n")
"""Where an answer is over: a model's own marks, and a blank line."""
PREFIX = re.compile(r"\s*(?:(?:<s>|Assistant:|GPT:|<answer>)\s*)*")
PLAIN = re.compile(r"\s*+([A-Za-z, -]++)(?<=\w)\. ([A-Z]\S*+)")
"""A first sentence whose last word and the one after decide alone whether it ends there: without
brackets, quotation marks, numbers or other stops."""
ABBREVIATIONS = """
approx avg ca cf ep est ft incl lbs max min ms oz pp tel vol
mon tue tues wed thu thur thurs fri
"""
NO_END = frozenset(ABBREVIATIONS.split())
"""sentencex takes them for an end; in captions more text follows."""
LINKS = """
a an the and or but nor yet so as if than that which who whose while when where because
about above across after against along among around at before behind below beneath beside
between beyond by during for from in inside into near of off on onto out outside over
past through to toward towards under until up upon via with within without
"""
DANGLING = frozenset(LINKS.split())
"""Articles, conjunctions and prepositions: no sentence ends with them."""


def first_sentence(raw: str, finish: str, max_words: int | None) -> tuple[str, bool]:
    """The first sentence, and whether it came to its end.

    `finish` is "length" if the cap on new tokens ended the text. An unfinished sentence, also one
    that `max_words` cuts, loses the words that cannot end it.
    """
    plain = PLAIN.match(raw)
    if plain and splits(plain[1].rpartition(" ")[2], plain[2]):
        first, ended = f"{plain[1]}.", True
    else:
        first, ended = hard_sentence(raw, finish)
    if max_words is not None and len(words := first.split()) > max_words:
        return without_dangling(" ".join(words[:max_words])), False
    return (first, True) if ended else (without_dangling(first), False)


def hard_sentence(raw: str, finish: str) -> tuple[str, bool]:
    text = answer(raw)[0].strip()
    first = cut(text)
    ended = len(first) < len(text) or finish != "length" or ENDED.search(first) is not None
    return " ".join(first.split()) if "\n" in first else first, ended


def answer(raw: str) -> list[str]:
    """What was said, without a beginning of the prompt's; a second part if a mark ended it."""
    return MARKERS.split(raw[PREFIX.match(raw).end() :], maxsplit=1)  # type: ignore[union-attr]


def is_over(raw: str) -> bool:
    """Whether no further text could change the first sentence, in either mode of shearing.

    A whole word must follow the sentence: on it depends whether the sentence ended.
    """
    if "." not in raw:
        return False
    text, *beyond = answer(raw)
    text = text.strip()
    following = text[len(cut(text)) :].lstrip()
    return bool(beyond) or " " in following


@lru_cache(maxsize=1 << 16)
def splits(last: str, following: str) -> bool:
    """Whether a sentence ends after "last." where `following` comes next: the splitter's word."""
    return cut(f"{last}. {following}") == f"{last}."


def cut(text: str) -> str:
    """Up to the end of the first sentence. Raises nothing: any text has one, even an empty one."""
    stop = STOP.search(text)
    if stop is None or stop.end() == len(text):
        return text
    end = 0
    for sentence in sentencex.segment("en", text):
        end += len(sentence)
        first = text[:end].rstrip()
        if first and last_word(first) not in NO_END:
            return first
    return text


def last_word(sentence: str) -> str:
    """In lower case, if a single full stop follows it."""
    return sentence[:-1].rpartition(" ")[2].lower() if sentence.endswith(".") else ""


def without_dangling(text: str) -> str:
    words = text.rstrip(" ,;:-–—([\"'“‘").split(" ")
    while words and (words[-1].lower() in DANGLING or not words[-1]):
        words.pop()
        if words:
            words[-1] = words[-1].rstrip(",;:-–—([\"'“‘")
    return " ".join(words)
