"""The first sentence of a caption, by a sentence splitter, and what remains of an unfinished one.

sentencex was chosen by measurement among pysbd, sentencex, blingfire and syntok, with the list
`tests/engine/shearing/sentences.txt`: see there, and `python -m tests.bench sentences`. blingfire
splits a little better and has had no release since 2021; the others are slower by one or two
orders of magnitude.
"""

# ruff: noqa: RUF001 (full stops and quotation marks of many scripts)
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import sentencex

from engine.shearing.cut_lead_ins import without_lead_in
from engine.shearing.headings import opens_with_reasoning
from engine.shearing.inner_stops import LONGEST_FOLLOWING, ROMAN, goes_on
from engine.shearing.marks import is_open, unmarked, without_markdown, without_open_mark
from engine.shearing.reasoning import answer_of, is_reasoning
from engine.shearing.titles import BOLD_LABEL
from engine.shearing.turns import is_question

STOP = re.compile(r"[.!?…。！？｡।॥۔؟։።]")
"""A mark that can end a sentence, in any script."""
SENTENCE_END = re.compile(r"[.!?…。！？｡।॥۔؟։።][\"'”’»)\]」』]*$")
"""Such a mark at the end of a text, also with closing quotation marks and brackets behind it."""
END_MARKS = r"###|<\|endofchunk\|>|<\|endoftext\|>|</s>|<PAD>"
"""The marks, as a pattern, with which models end an answer."""
END_MARK = re.compile(END_MARKS)
"""One of the marks."""
LINE_END = re.compile(
    r"\n(?:(?<![:\n]\n)(?<!:\*\*\n)\s*\n|[^\S\n]*#[^\W\d]"
    rf"|(?<!:\n)(?<!:\*\*\n){BOLD_LABEL}|[^\S\n]*[*_]{{0,3}}(?:(?:hash)?tags?"
    r"|keywords?|notes?|source|credits?|categor(?:y|ies)|explanation|rationale|confidence"
    r"|word count|(?:caption|option) ?[\da-c])[*_]{0,3}\s*:)",
    re.IGNORECASE,
)
"""The end of an answer at the end of a line: a blank line, unless a colon stands before it, or a
line with tags, a note, another caption or a label in bold type."""
COUNT = re.compile(
    r"\((?:word count: ?\d{1,3}|\d{1,3} (?:words?|characters?|tokens?))\)\Z", re.IGNORECASE
)
"""The number of its words, which a model writes behind a caption."""
SURROGATE = re.compile(r"[\ud800-\udfff]")
"""A lone surrogate: half of a character, which has no UTF-8."""
OWN_END = re.compile(
    r"[….](?:(?:(?<=\w…)|(?<=\betc\.)|(?<=[a-z]{3}\.)\))\s+(?=[A-Z])"
    r"|(?<=[a-z]{2}\.)(?=(?:he|she|they|there|the)\s))"
)
"""Ends of sentences that sentencex does not see."""
WORD = re.compile(r"\w")
"""A character of a word, in any script."""
ANSWER_START = re.compile(r"\s*(?:(?:<s>|Assistant:|GPT:|<answer>)\s*)*")
"""The part of the prompt that a model repeats before its answer, if only the empty text."""
PLAIN = re.compile(r"\s*+([A-Za-z, -]++)(?<=\w)\. ([A-Z]\S*+)")
"""A first sentence whose last word and the one after decide alone whether it ends there: without
brackets, quotation marks, numbers or other stops."""
DANGLING_LIST = """
a an the and or but nor yet so as if than that which who whose while when where because
about above across after against along among around at before behind below beneath beside
between beyond by during for from in inside into near of off on onto out outside over
past through to toward towards under until up upon via with within without
"""
DANGLING = frozenset(DANGLING_LIST.split())
"""Articles, conjunctions and prepositions: no sentence ends with one of them."""


def first_sentence(raw: str, finish: str, max_words: int | None) -> tuple[str, bool]:
    """Return the first sentence of a raw caption, and whether it reached its end.

    `finish` is "length" if the cap on new tokens ended the caption. An unfinished sentence, also
    one that `max_words` cuts, loses the words that cannot end a sentence.
    """
    # The fast path: most captions are plain, and `ends_sentence` remembers pairs of words.
    plain = PLAIN.match(raw)
    if plain and ends_sentence(plain[1].rpartition(" ")[2], plain[2]):
        first, ended = f"{plain[1]}.", True
    else:
        first, ended = split_by_sentencex(raw, finish)
    if max_words is not None and len(words := first.split()) > max_words:
        return without_dangling(" ".join(words[:max_words])), False
    return (first, True) if ended else (without_dangling(first), False)


def split_by_sentencex(raw: str, finish: str) -> tuple[str, bool]:
    """Return the first sentence, and whether it reached its end, for any raw caption."""
    text = unmarked(answer_parts(raw)[0])
    if text[-1:] == ")":
        text = unmarked(COUNT.sub("", text))
    text = without_markdown(text)
    first = split_first_sentence(text)
    ended = len(first) < len(text) or finish != "length" or SENTENCE_END.search(first) is not None
    bare = without_open_mark(unmarked(first))
    if bare != first:
        first = split_first_sentence(bare)
    return " ".join(first.split()) if "\n" in first else first, ended


def answer_parts(raw: str) -> list[str]:
    """Return the answer without what repeats the prompt; and the rest, if a mark ended the answer.

    The list has one element if no mark ended the answer, and two otherwise.
    """
    # The pattern for the start always matches, if only the empty text.
    text = raw[ANSWER_START.match(raw).end() :]  # type: ignore[union-attr]
    parts = LINE_END.split(text, maxsplit=1) if "\n" in text else [text]
    if "#" in parts[0] or "<" in parts[0]:
        parts = END_MARK.split(parts[0], maxsplit=1) + parts[1:]
    return parts[:2]


def first_sentence_complete(raw: str, opened: bool = False) -> bool:
    """True if no further text could change the first sentence, in either mode of shearing.

    A whole word must follow the sentence, because that word decides whether the sentence ended.
    `opened` is True if a model's reasoning began before the text.
    """
    if "." not in raw or is_reasoning(raw, opened) or is_question(raw):
        return False
    if opens_with_reasoning(raw):
        return False
    text, *rest = answer_parts(without_lead_in(answer_of(raw)))
    if not rest and is_open(text):
        return False
    text = without_markdown(unmarked(text))
    following = text[len(split_first_sentence(text)) :].lstrip()
    return bool(rest) or " " in following


@lru_cache(maxsize=1 << 16)
def ends_sentence(last: str, following: str) -> bool:
    """True if the splitter ends a sentence after the word `last` and a full stop, before the word
    `following`, whatever stands before them."""
    if ROMAN.fullmatch(last) is not None:
        return False
    return split_first_sentence(f"{last}. {following}") == f"{last}."


def split_first_sentence(text: str) -> str:
    """Return the text up to the end of its first sentence: all of it if no sentence ends in it."""
    stop = STOP.search(text)
    if stop is None or stop.end() == len(text):
        return text
    return next(sentences_in(text), text).rstrip()


def sentences_in(text: str) -> Iterator[str]:
    """Yield the sentences of a text, with the white space behind them."""
    start, end, is_small = 0, 0, text.lstrip()[:1].islower()
    for piece in segments(text):
        begin, end = end, end + len(piece)
        for own in OWN_END.finditer(text, begin, end):
            yield text[start : own.end()]
            start = own.end()
        sentence = text[start:end].strip()
        is_paragraph = "\n\n" in piece and not sentence.endswith((":", ":**"))
        if not sentence or is_paragraph or end == len(text):
            is_over = sentence != ""
        else:
            is_over = not goes_on(sentence, text[end : end + LONGEST_FOLLOWING], is_small)
        if is_over:
            yield text[start:end]
            start = end


def segments(text: str) -> list[str]:
    """Return the pieces into which sentencex cuts a text: as long as they are, in this order.

    A lone surrogate, which sentencex cannot take, is another character in them.
    """
    segmented: list[str] = sentencex.segment("en", SURROGATE.sub("\ufffd", text))
    return segmented


def all_sentences(raw: str) -> list[str]:
    """Return the sentences of a raw caption, each in one line, up to a mark that ends the answer.

    A blank line ends a sentence here, and not the answer, since long captions have paragraphs. A
    last sentence that does not reach its end is left out if there are others. Lead-ins and markers
    of lists are cut.
    """
    raw = without_lead_in(answer_of(raw), whole_list=True)
    answer = END_MARK.split(raw[ANSWER_START.match(raw).end() :], maxsplit=1)[0]  # type: ignore[union-attr]
    sentences = []
    for sentence in sentences_in(answer):
        bare = without_markdown(without_open_mark(without_lead_in(sentence.strip())))
        if WORD.search(bare):
            sentences.append(" ".join(bare.split()))
    if len(sentences) > 1 and not SENTENCE_END.search(sentences[-1]):
        sentences.pop()
    return sentences


def without_dangling(text: str) -> str:
    """Return a text without the words and punctuation at its end that no sentence ends with."""
    words = text.rstrip(" ,;:-–—([\"'“‘").split(" ")
    while words and (words[-1].lower() in DANGLING or not words[-1]):
        words.pop()
        if words:
            words[-1] = words[-1].rstrip(",;:-–—([\"'“‘")
    return " ".join(words)
