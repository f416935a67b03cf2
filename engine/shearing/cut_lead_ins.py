"""Cutting what a model says before the caption, and the markers of lists.

Less is cut than `lead_ins.py` finds: only what ends with a mark of its own ("Sure!", "Here is a
caption:"), so that no part of a caption is lost.
"""

from __future__ import annotations

import re

from engine.shearing.headings import HEADING as REASONING_HEADING
from engine.shearing.lead_ins import (
    ADJECTIVES,
    ARROW,
    ARTICLE,
    CAPTION_WORD,
    CONSENT,
    COUNTED,
    EMOJI,
    HERE,
    KIND,
    NOUN,
    NUMBERED,
    PICTURE,
    PRAISE,
    REASON,
    SMILES,
    SUGGEST,
)
from engine.shearing.lead_ins_elsewhere import LABELS, POLITE_WORDS, THERE
from engine.shearing.marks import FIRST, unmarked
from engine.shearing.phrases import any_of
from engine.shearing.thoughts import THOUGHT
from engine.shearing.turns import behind_question

HEAD = 160
"""Characters of a text in which a lead-in ends."""
MAX_LEAD_INS = 20
"""Lead-ins that are cut one after the other."""
LABEL = (
    rf"{ADJECTIVES}{NOUN}\s*(?:\([^)]{{0,30}}\)\s*)?"
    rf"(?:(?:of|for|to) (?:the|this|your|an) (?:(?:provided|given|attached|input) )?{PICTURE}\s*)?"
    r"(?:#?\d+\s*)?(?:is|are|would be|could be|might be|should be|reads?|goes)?\s*"
    r"(?:as follows\s*)?"
)
"""What stands before a colon: "A short caption for this image could be"."""
HELP = any_of("""
    i(?:'d| would| will|'ll) be (?:happy|glad|delighted) to | happy to (?:help|assist) |
    i(?:'d| would) love to | i(?:'ll| will| can) (?:describe|provide|give|write|caption|help|try) |
    (?:thank you|thanks) for (?:the (?:image|picture|photo|question)|sharing|providing|uploading)
""")
CUT_POLITE = any_of("""
    as requested | as you can see | in (?:summary|short|conclusion) | to summari[sz]e
""")
"""Words before a mark that are no beginning of a caption."""
CUT_GREETING = any_of("""
    hello | hi | (?:hi|hello) there | thank you | thanks
""")
"""The same only with an exclamation mark."""
CUT_ANSWER = any_of("yes | great | you're welcome")
"""The same only with a full stop or an exclamation mark."""
FORMS = r"[\"'*_#\s]*"
"""Quotation marks and signs of Markdown, which may stand around a lead-in."""
MARKED = (
    r"(?:\.{2,}|\u2026)\s*(?=\w)",
    r"[-\u2013\u2014*+~\u2022\u00b7\u25e6\u25aa\u25cf\u2023>\u2192]\s+(?=[^\W\d_]|[\"'*(\[])",
    r"#{1,6}\s+(?=\w)",
    r"\(?[a-h]\)\s+(?=\w)",
)
"""Ellipses, markers of lists and of headings that are cut."""
CUTS = (
    # What a model plans is a leak, which is found by its first words: they stay.
    rf"(?!{THOUGHT}){CONSENT}\s*(?:[!.:;\u2014\u2013-]|,(?={CAPTION_WORD})(?:\s*so\b)?)+(?!\w){SMILES}",
    rf"{CUT_POLITE}\s*(?:[!.:;\u2014\u2013-]|,(?:\s*so\b)?)+(?!\w)",
    rf"{PRAISE}(?=\s*\S){SMILES}",
    rf"{SUGGEST}\s*[*_]*[:\uff1a](?!\w)",
    rf"{EMOJI}\s+(?=[\w\"'\u201c*])",
    rf"{CUT_GREETING}\s*!+(?!\w)",
    rf"{CUT_ANSWER}\s*[!.]+(?!\w)",
    rf"{COUNTED}\s*[:,](?!\w)",
    r"here (?:it is|you go)(?:\s*[.!:]+(?!\w)|\s+[\u2013\u2014-]\s)",
    rf"(?:{KIND} )*(?:caption|description|alt[- ]?text)(?:(?:\.|\s+[\u2013\u2014-])\s|{ARROW})",
    rf"{POLITE_WORDS}\s*[!,.:\uff01\uff0c\u3002\uff1a]+",
    rf"{THERE}[^.!?:\uff1a\n]{{0,60}}(?::(?![^\W_])|\uff1a)",
    rf"{LABELS}\s*(?::(?![^\W_])|\uff1a)",
    rf"{HELP}[^.!?:\n]{{0,80}}[.!:](?!\w)",
    rf"(?:{HERE}|this is|below (?:is|are)|the following (?:is|are)) "
    rf"{ADJECTIVES}{NOUN}\b[^.!?:\n]{{0,80}}(?:[:\uff1a]|\.?[^\S\n]*\n)",
    rf"{HERE}(?: (?:one|two|three|a few|some|several))?\s*[:!]",
    rf"(?:the|this) {PICTURE} (?:can|could|may) be (?:described|captioned|summari[sz]ed) as"
    r"(?: follows)?\s*[:\uff1a]",
    rf"{REASON} (?:the|this|your|my) (?:(?:provided|given|attached|uploaded) )?{PICTURE}\b"
    rf"[^.!?:\n]{{0,30}}, {HERE} [^.!?:\n]{{0,60}}:",
    rf"{LABEL}[*_\"']*\s*(?::(?![^\W_])|\uff1a)",
    r"a\s*[*_]*[:\uff1a]\s+(?![\"'\u2018\u201c])",
    rf"(?:ans|assistant|gpt|{NUMBERED})\s*[*_]*[:\uff1a]\s",
)
"""What is cut, as patterns with their marks."""
HEADING = rf"(?:#{{1,6}}\s+[*_]*|[*_]{{2,3}}){LABEL}[*_]*[^\S\n]*\n"
"""A line of its own in Markdown that says what follows: "## Image Description"."""
CUT = re.compile(
    rf"(?:{HEADING}|{REASONING_HEADING}|{'|'.join(MARKED)}|{FORMS}(?:{'|'.join(CUTS)})(?:[*_]{{1,3}}(?=\s))?)\s*",
    re.IGNORECASE,
)
ITEM = re.compile(
    r"\s*(?:(?P<bold>\*\*)?[(\[]?(?P<number>\d{1,2})(?:(?P<stop>\.)|[)\]])(?(bold)\*\*)|[-*\u2022])\s+"
    r"(?=[\"'\u2018\u201c*_]*(?P<word>[^\W\d_]+))"
)
"""The marker of a list's first item, and the word behind it. "- 5 degrees" has none.

A number may be bold: "**1.** A dog"."""
NEXT_ITEM = re.compile(
    r"\n[ \t]*(?:(?:\*\*)?[(\[]?\d{1,2}[.)\]](?:\*\*)?|[-*\u2022])\s+"
    r"(?=[\"'\u2018\u201c*_]*[^\W\d_])"
)
"""The end of an item, and the marker of the next one."""
NO_ITEM = re.compile(
    r"(?:[A-Z]{2,5}|Bundesliga|Liga|Weltkrieg|Januar|Februar|M\u00e4rz|Mai|Juni|Juli|Oktober"
    r"|Dezember)\Z"
)
"""Words behind an ordinal number with a full stop, as in "1. FC K\u00f6ln" and "1. Mai"; an
abbreviation may be one."""
IS_ARTICLE = re.compile(rf"{ARTICLE}\Z", re.IGNORECASE)
CUT_WORDS = frozenset(
    """
    absolutely all alright alt as below bien brief caption certainly claro com con description
    desde detailed final full gladly good got great happy hello here hi i image in long my na no of
    ok okay photo picture por possible proposed short suggested sure thank thanks to understood
    very with yes you
    """.split()  # noqa: SIM905
)
"""The plain words with which a lead-in without a colon begins that is cut; without those of other
languages that stand before a mark."""


def without_lead_in(text: str, whole_list: bool = False) -> str:
    """Return a text without the lead-ins at its beginning, and without quotation marks and signs
    of Markdown around all of it; of a list, the first item.

    With `whole_list`, the other items stay. Empty if nothing else is there. The same object if
    there is no lead-in.
    """
    for _ in range(MAX_LEAD_INS):
        if not may_be_cut(text):
            break
        start = text.lstrip()
        bare = unmarked(start) if start[:1] in FIRST else start
        if bare and len(bare) < len(start.rstrip()):
            text = bare
            continue
        item = without_marker(text, whole_list)
        if item is not text:
            text = item
            continue
        cut = CUT.match(start[:HEAD].replace("\u2019", "'"))
        rest = start[cut.end() :].lstrip() if cut else behind_question(text)
        if rest is text:
            break
        text = rest
    return text


def without_marker(text: str, whole_list: bool = False, any_number: bool = False) -> str:
    """Return the first item of a list without its marker; the same object if there is no list.

    With `whole_list`, the other items stay. With `any_number`, a list may begin with "7." before
    any word; otherwise only before an article, for "7. Sinfonie" is a part of the caption.
    """
    item = ITEM.match(text)
    if item is None:
        return text
    if item["stop"]:
        is_marker = any_number or item["number"] == "1" or IS_ARTICLE.match(item["word"])
        if NO_ITEM.match(item["word"]) or not is_marker:
            return text
    rest = text[item.end() :]
    return rest if whole_list else NEXT_ITEM.split(rest, maxsplit=1)[0]


def may_be_cut(text: str) -> bool:
    """Return False for most texts that begin with no lead-in."""
    first = text.partition(" ")[0]
    if not first.isalpha() or first.lower() in CUT_WORDS:
        return True
    head = text[:HEAD]
    return ":" in head or "!" in head or "\uff1a" in head
