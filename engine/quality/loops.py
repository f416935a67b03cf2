"""Loops: a caption that says the same again and again, as a model does that is stuck.

Repetition penalties are made against this ("neural text degeneration", Holtzman et al. 2020,
arXiv 1904.09751). Filters of web text count repeated n-grams for it (Gopher, Rae et al. 2021,
arXiv 2112.11446, appendix A1.1); their shares are for pages, and would find "a bus, a car and a
bus". So the rules here are for a sentence or a paragraph.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence, Set
from operator import eq
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from engine.quality.words import ENGLISH, NUMBER_WORDS, QUOTED, words_of

Counts = NDArray[np.int64]

TURNS = {1: 3, 2: 3, 3: 3}
"""How often a phrase of so many words stands in a row in a loop; a longer one: twice."""
COUNTED_TURNS = 3
"""The same for every phrase where only numbers differ between the turns: "1. a dog 2. a dog"."""
EMPHASIS = frozenset(
    """
    very so really many much no yes ha ho blah la bye row knock stop go na cha choo click ding hey
    help hip more please tora vote wait well wow yeah again around away down round up
    """.split()  # noqa: SIM905
)
"""Words that people say three times too."""
SHOUTED = re.compile(r"\b(\w+)(?:!+\s|-)\1(?=!|-\1\b)", re.IGNORECASE)
"""A word that is said again with an exclamation mark, or is joined to itself: "Tora! Tora!"."""
TITLE = re.compile(r"\b([A-Z]\w+), \1, \1\b")
"""Three words of a title: "Girls, Girls, Girls". As a whole text they are a loop."""
SPECIES = re.compile(r"\b([A-Z][a-z]+) ([a-z]+) \2\b(?=[,:]| is\b)")
"""A biological name of three parts, if the first one is the same, too: "Bison bison bison, a bull".
"""
EMPHASIS_TURNS = 5
"""How often one of them, a letter, a number or a row of colors stands in a row in a loop."""
COLORS = frozenset(
    """
    beige black blue brown gold gray green grey orange pink purple red silver violet white yellow
    """.split()  # noqa: SIM905
)
"""Words that a pattern repeats: "a floor of black, white, black, white, black, white tiles"."""
ORDINALS = frozenset(
    ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
)
COUNTERS = ORDINALS.union(NUMBER_WORDS, map(chr, range(128)))
"""Words that may differ between the turns, beside numbers in digits."""
MAX_PHRASE = 40
"""Words of the longest phrase that is looked for."""
FEW_WORDS = 6
"""A text of fewer words is a loop only by a phrase in a row."""
MIN_DISTINCT = 1 / 3
"""Share of distinct words up to which a text is a loop: "standing standing sleeping standing". A
paragraph with more than `WINDOW` distinct words may have as small a share."""
STEM = 3
"""Letters by which the words of a loop are told apart that writes them in several ways."""
WINDOW, WINDOW_DISTINCT = 12, 4
"""So few distinct words among so many in a row are a loop within a longer text."""
BLOCK = 6
"""Every window that begins at an even place holds all of a block of so many words."""
REPEATED = ((5, 3), (8, 2))
"""(n, times): an n-gram that occurs so often, also with other words between."""
LONG_MEAN = 7
"""Characters a word, with what stands between them, from which on a text is searched for a loop
inside of its longest word."""
MIN_WORD_LOOP = 8
"""Characters of such a loop."""
MIN_REPEATED = 6
"""Characters of such a loop, at least, that occur in it before."""
WORD_LOOP = re.compile(r"(.{1,12}?)\1{2,}")
MARK_TURNS = 8
NO_LOOP = r"(?!([*\u2022\u25cf_])\1{7,15}(?!\1)|\.{8,16}\s?\w)"
"""Not the signs of a hidden password, a line to write on, nor a dotted line before a word."""
MARK_LOOP = re.compile(rf"{NO_LOOP}((?:[^\w\s]|_){{1,4}}?)\s?(?:\2\s?){{{MARK_TURNS - 1}}}")
"""One sign eight times, such as "!!!!!!!!"; an emoji is up to four characters."""
JOINTS = frozenset(("and", "then"))
"""Words that may stand between the turns of a phrase."""
MIN_JOINED = 4
"""Words of a phrase that is a loop if it stands twice with one of them between."""
JOINED_TURNS = dict.fromkeys(range(1, MIN_JOINED), MAX_PHRASE)
MIN_SAME, SAME_SHARE = 4, 0.8
"""How often one word stands in a loop that says hardly anything else, and its share of the words
that say something by themselves: "a beach with a beach and a beach in a beach"."""


def is_loop(text: str, words: Sequence[str], distinct: frozenset[str]) -> bool:
    """Return True if a text with these words (`words_of`) is a loop or holds one."""
    if (
        not text.isascii() or may_hold_marks(len(text), sum(map(len, words)), len(words))
    ) and MARK_LOOP.search(text) is not None:
        return True
    if not words:
        return False
    content = [word for word in words if word not in ENGLISH]
    doubled = sum(map(eq, words, words[1:]))
    repeats, of_content = len(words) - len(distinct), len(content) - len(set(content))
    if may_loop(len(words), repeats, of_content, doubled) and (
        has_turns(words, emphasized_in(text))
        or is_monotonous(words)
        or has_repeated_ngram(words)
        or says_one_thing(content)
        or has_few_stems(content)
    ):
        return True
    return len(text) >= LONG_MEAN * len(words) and is_loop_within(max(words, key=len))


@overload
def may_loop(words: int, repeats: int, of_content: int, doubled: int) -> bool: ...


@overload
def may_loop(
    words: Counts, repeats: Counts, of_content: Counts, doubled: Counts
) -> NDArray[np.bool_]: ...


def may_loop(words: Any, repeats: Any, of_content: Any, doubled: Any) -> Any:
    """Return whether a text repeats more than "a" and "the", as most do; or which of many texts.

    Of its words, `repeats` stand in it before, and `of_content` do that say something by
    themselves; `doubled` are the same as the word before them.
    """
    return (of_content >= 2) | (doubled >= 2) | ((repeats >= 2) & (2 * repeats >= words))


@overload
def may_hold_marks(length: int, letters: int, words: int) -> bool: ...


@overload
def may_hold_marks(length: Counts, letters: Counts, words: Counts) -> NDArray[np.bool_]: ...


def may_hold_marks(length: Any, letters: Any, words: Any) -> Any:
    """Return whether a text in ASCII may have a sign `MARK_TURNS` times; or which of many texts.

    A text of so many characters has this many letters in so many words. Between two words there is
    a character at least, and only one of the signs may be it.
    """
    return length - letters >= words + MARK_TURNS - 2


def is_loop_within(word: str) -> bool:
    """Return True if a word holds a loop: "hahahahaha"."""
    if len(word) - len(set(word)) < MIN_REPEATED:
        return False  # several times faster than the pattern
    found = WORD_LOOP.search(word)
    return found is not None and len(found[0]) >= MIN_WORD_LOOP


def emphasized_in(text: str) -> Set[str]:
    """Return the words that are said again for emphasis: shouted ones, and those of a sign or a
    title."""
    quoted = words_of(" ".join(QUOTED.findall(text)))
    shouted = [word.lower() for word in SHOUTED.findall(text)]
    title = TITLE.search(text)
    if title is not None and title[0] != text.strip(" ."):
        shouted.append(title[1].lower())
    species = SPECIES.search(text)
    if species is not None and species[1].lower() == species[2]:
        shouted.append(species[2])
    return EMPHASIS.union(quoted, shouted) if quoted or shouted else EMPHASIS


def has_turns(words: Sequence[str], emphasized: Set[str] = EMPHASIS) -> bool:
    """Return True if a phrase stands several times in a row, also with other numbers in it.

    A word may be said four times for emphasis if it is one of `emphasized`.
    """
    if in_a_row(words, TURNS, 2, emphasized):
        return True
    plain = [
        word
        for word, following in zip(words, [*words[1:], ""], strict=False)
        if following == "of" or (word not in COUNTERS and not word.isdigit())
    ]
    if len(plain) < len(words) and in_a_row(plain, {}, COUNTED_TURNS, emphasized):
        return True
    phrases = [word for word in words if word not in JOINTS]
    return len(phrases) < len(words) and in_a_row(phrases, JOINED_TURNS, 2, emphasized)


def says_one_thing(content: Sequence[str]) -> bool:
    """Return True if one word is nearly all that a text says; `content` is without "a", "of"."""
    if len(content) < MIN_SAME:
        return False
    word, count = Counter(content).most_common(1)[0]
    return count >= max(MIN_SAME, SAME_SHARE * len(content)) and is_plain(word)


def has_few_stems(content: Sequence[str]) -> bool:
    """Return True if hardly any words are distinct that say something by themselves.

    Words that are inflected or misspelt count as one: "a red kite, red kites, a red kiite".
    """
    stems = {word[:STEM] if word.isalpha() else word for word in content}
    return len(content) >= FEW_WORDS and len(stems) <= len(content) * MIN_DISTINCT


def is_plain(word: str, emphasized: Set[str] = EMPHASIS) -> bool:
    """Return True if nobody says a word three times for emphasis; a letter or a number is none."""
    return word not in emphasized and len(word) > 1 and not word.isdigit()


def repeats_four(words: Sequence[str]) -> bool:
    """Return True if four words in a row stand in a text twice, as in each loop of phrases."""
    fours = len(words) - 3
    return fours > 1 and len(set(zip(words, words[1:], words[2:], words[3:], strict=False))) < fours


def in_a_row(
    words: Sequence[str], turns: dict[int, int], long_turns: int, emphasized: Set[str]
) -> bool:
    """Return True if a phrase of `k` words stands `turns.get(k, long_turns)` times in a row.

    That is three times at least, but for phrases of four words and more. What may be repeated for
    emphasis, or as a pattern, stands `EMPHASIS_TURNS` times.
    """
    if not any(map(eq, words, words[1:])) and not repeats_four(words):
        return False
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    # A phrase that is repeated begins with a word that is repeated so far behind.
    distances = {
        later - place
        for found in places.values()
        if len(found) > 1
        for index, place in enumerate(found)
        for later in found[index + 1 : index + 4]
    }
    for length in distances:
        if length > MAX_PHRASE:
            continue
        needed = (turns.get(length, long_turns) - 1) * length
        run = 0
        for end, (first, second) in enumerate(zip(words, words[length:], strict=False), start=1):
            run = run + 1 if first == second else 0
            if run >= needed and (
                run >= (EMPHASIS_TURNS - 1) * length
                or not may_stand_again(words[end - length : end], emphasized)
            ):
                return True
    return False


def may_stand_again(phrase: Sequence[str], emphasized: Set[str]) -> bool:
    """Return True if a good caption may have this phrase some times in a row."""
    if len(phrase) == 1:
        return not is_plain(phrase[0], emphasized)
    return COLORS.issuperset(phrase)


def is_monotonous(words: Sequence[str]) -> bool:
    """Return True if a text, or a stretch of it, has hardly any distinct words."""
    count = len(words)
    if count < FEW_WORDS:
        return False
    distinct = len(set(words))
    if distinct <= min(count * MIN_DISTINCT, WINDOW):
        return True
    if count - distinct < WINDOW - WINDOW_DISTINCT or all(
        len(set(words[start : start + BLOCK])) > WINDOW_DISTINCT
        for start in range(0, count - BLOCK + 1, BLOCK)
    ):
        return False
    return any(
        len(set(words[start : start + WINDOW])) <= WINDOW_DISTINCT
        for start in range(0, count - WINDOW + 1, 2)
    )


def has_repeated_ngram(words: Sequence[str]) -> bool:
    """Return True if a long n-gram occurs several times."""
    if not repeats_four(words):
        return False
    for length, times in REPEATED:
        if len(words) < length + times - 1:
            continue
        ngrams = Counter(zip(*(words[start:] for start in range(length)), strict=False))
        if max(ngrams.values()) >= times:
            return True
    return False
