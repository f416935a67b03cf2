"""Whether a caption is in the language and script that was asked for.

The script is that of Unicode's names of letters. The language of a text in Latin letters is told by
function words: of several languages in `function_words.py`, the one with the most of them. Language
identifiers were left out: on captions of five to ten words without function words ("kitchen remodel
ideas") they guess, and here a guess would be counted as a defect.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from engine.quality.function_words import FUNCTION_WORDS
from engine.quality.words import QUOTED, words_of

SCRIPTS = {
    "zh": ("CJK", "BOPOMOFO"),
    "ja": ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"),
    "ko": ("HANGUL", "CJK"),
    "ru": ("CYRILLIC",),
    "uk": ("CYRILLIC",),
    "ar": ("ARABIC",),
    "fa": ("ARABIC",),
    "hi": ("DEVANAGARI",),
    "th": ("THAI",),
    "el": ("GREEK",),
    "he": ("HEBREW",),
}
"""The scripts of languages that are not written in Latin letters, as Unicode's names begin."""
LATIN = ("LATIN", "FULLWIDTH", "MODIFIER", "FEMININE", "MASCULINE", "SUPERSCRIPT")
LANGUAGES = (*FUNCTION_WORDS, *SCRIPTS)
"""The codes (ISO 639-1) of the languages that can be asked for."""
LETTERS = (
    re.compile("[\u00e4\u00e5\u00e6\u00f0\u00f6\u00f8\u00fc\u00fe\u00df]"),
    re.compile("[\u0100-\u0151\u0154-\u024f\u1e00-\u1eff]"),
)
"""Latin letters of Northern and Central Europe, such as "\u00e4" and "\u00f8", and those that
Western Europe lacks: "\u015f", "\u0142", "\u1edf". Loans from French and Spanish ("caf\u00e9",
"jalape\u00f1o") have none of them."""
MIN_FOREIGN = 3
"""Words with such letters that are more than the name of a dish, if there is no function word."""
LETTERS_OF = {
    code: [letters for letters in LETTERS if letters.search(" ".join(words)) is not None]
    for code, words in FUNCTION_WORDS.items()
}
"""Which of these letters each language has."""
STRANGE = {
    language: frozenset(
        code for code, letters in LETTERS_OF.items() if any(each not in own for each in letters)
    )
    for language, own in LETTERS_OF.items()
}
"""For each language those with letters that it does not have."""
LOOK_ALIKES = (
    "\u0430\u0441\u0435\u043e\u0440\u0443\u0445\u0455\u0456\u0458\u0501"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0405\u0406\u0408"
)
"""Cyrillic letters that are drawn like Latin ones."""
MIXED = re.compile(rf"[A-Za-z][{LOOK_ALIKES}]|[{LOOK_ALIKES}][A-Za-z]")
"""A place in a word where a letter is not what it looks like; "KO\u042fN" has none."""
PARTICLES = re.compile(
    r"(?<=[^\W\d_] )(?:(?:de|la|las|los|del|dos|das|do|da|di|du|von|van|der|den|y|e)\s){1,3}"
    r"(?=[A-Z\u00c0-\u00de])"
)
"""Small words within a name, before a capital: "Angeles de la Guarda"."""
LONG_WORD = 40
"""Characters of a word before such words, at most."""
LATER_CAPITALS = re.compile(r"(?<=\w\W)[^\W\d_a-z]\w*")
WRITING = frozenset(
    """
    banner book brand called character characters calligraphy cover font graffiti headline kanji
    label labeled labelled letter letters logo meaning name named poster printed read reading reads
    restaurant say saying says script shop sign signs store symbol symbols text title titled word
    words writing written
    chinese japanese korean arabic russian cyrillic greek hebrew hindi thai
    """.split()  # noqa: SIM905
)
"""Words of captions that quote what is written in the image, often without quotation marks."""
QUOTED_SHARE = 0.5
"""Share of letters in another script up to which a caption may quote them."""
MIN_RUN = 2
"""Letters in a row in another script that are more than a symbol."""
MIN_LEAD = 2
"""By how many distinct function words another language must lead: "Dia de los Muertos parade in
Mexico" is English."""
MIN_MIXED = 3
"""How many of them make a text mixed, if it has no more of the language that was asked for."""


@lru_cache(maxsize=1 << 14)
def script_of(letter: str) -> str:
    """Return the script of a letter, as its name in Unicode begins."""
    return unicodedata.name(letter, "").partition(" ")[0]


def is_other_language(text: str, words: frozenset[str], language: str) -> bool:
    """Return True if a text is not in the language of this code.

    `words` are its distinct words (`words_of`).
    """
    scripts = SCRIPTS.get(language, LATIN)
    if (scripts is not LATIN or not text.isascii()) and has_other_script(text, words, scripts):
        return True
    if scripts is not LATIN:
        return False
    foreign = frozenset[str]() if text.isascii() else foreign_words(text, words, language)
    if not foreign and words.isdisjoint(OTHER_FUNCTION_WORDS[language]):
        return False
    may_be_mixed = WRITING.isdisjoint(words)
    if QUOTED.search(text) is not None:
        may_be_mixed = False
        outside = frozenset(words_of(QUOTED.sub(" ", text)))
        if not outside.isdisjoint(FUNCTION_WORDS[language]):
            words = outside
    return has_other_function_words(words - names_in(text), foreign & words, language, may_be_mixed)


def foreign_words(text: str, words: frozenset[str], language: str) -> frozenset[str]:
    """Return the words in small letters with `LETTERS` that a language does not have.

    A capital may begin a name.
    """
    foreign = [letters for letters in LETTERS if letters not in LETTERS_OF[language]]
    return frozenset(
        word for word in words if any(each.search(word) for each in foreign) and word in text
    )


def has_other_script(text: str, words: frozenset[str], scripts: tuple[str, ...]) -> bool:
    """Return True if a text holds letters of another script, but for what it quotes."""
    if scripts is LATIN and MIXED.search(text) is not None:
        return True
    letters = [letter for letter in text if letter.isalpha()]
    others = sum(script_of(letter) not in scripts for letter in letters)
    if scripts is not LATIN:  # names and brands stay in Latin letters in every language
        return others > len(letters) * QUOTED_SHARE
    if others < MIN_RUN:
        return False
    if others > len(letters) * QUOTED_SHARE:
        return True
    if not WRITING.isdisjoint(words):
        return False
    run = 0
    for sign in QUOTED.sub(" ", text):
        if sign.isalpha() and script_of(sign) not in scripts:
            run += 1
            if run == MIN_RUN:
                return True
        elif not unicodedata.combining(sign) and unicodedata.category(sign) != "Mc":
            run = 0  # a vowel sign ends no run
    return False


def names_in(text: str) -> set[str]:
    """Return the capitalised words behind the first, in lower case: "Los" in "in Los Angeles".

    The small words between two of them, too: "de" in "Rio de Janeiro".
    """
    if text.isupper():
        return set()
    small = {
        word
        for found in PARTICLES.finditer(text)
        if follows_on_capital(text, found.start())
        for word in found[0].split()
    }
    return small.union(word.lower() for word in LATER_CAPITALS.findall(text) if word[0].isupper())


def follows_on_capital(text: str, start: int) -> bool:
    """Return True if the word before a place in a text begins with a capital."""
    return text[max(0, start - LONG_WORD) : start].rstrip().rpartition(" ")[2][:1].isupper()


def has_other_function_words(
    words: frozenset[str], foreign: frozenset[str], language: str, may_be_mixed: bool
) -> bool:
    """Return True if another language has more of its function words in a text than this one.

    `foreign` words count as function words of each language that is `STRANGE` to this one.
    `may_be_mixed` is True if a text with as many of both is no quotation.
    """
    asked = words & FUNCTION_WORDS[language]
    for code, function_words in FUNCTION_WORDS.items():
        if code == language:
            continue
        own = len(asked - function_words)
        found = (words & function_words) - asked
        if may_be_mixed and len(found) >= max(own, MIN_MIXED):
            return True
        if code in STRANGE[language] and (found or len(foreign) >= MIN_FOREIGN):
            found |= foreign
        if len(found) >= own + MIN_LEAD:
            return True
    return False


OTHER_FUNCTION_WORDS = {
    language: frozenset[str]().union(*FUNCTION_WORDS.values()) - own
    for language, own in FUNCTION_WORDS.items()
}
"""For each language the function words of the others that it does not have itself."""
