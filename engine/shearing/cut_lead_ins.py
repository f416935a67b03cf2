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
    FRIEND,
    HERE,
    KEY_VALUE,
    KIND,
    LABEL_IN_BRACKETS,
    NO_VERB,
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
from engine.shearing.titles import BEFORE_CAPTION, BOLD_LABEL, TITLE
from engine.shearing.turns import behind_question
from engine.shearing.wrappers import SIGNS, unwrapped

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
PLAN = any_of(r"""
    (?:let me|let's|allow me to) (?:describe|caption|summari[sz]e|provide|give|write|create) |
    (?:please )?(?:describe|caption|summari[sz]e) (?:the|this|what you see in (?:the|this)) |
    (?:please )?(?:write|generate|provide|give) (?:me )?(?:an?|one)
""")
"""What a model says that it will do, and what it was told to do."""
ABOUT = any_of("image | picture | photo | photograph | scene | caption | description | sentence")
ASKED = (
    r"what (?:is|are|do you see|can you see|does)\b[^.!?:\n]{0,40}"
    rf"\b{PICTURE}\b[^.!?:\n]{{0,20}}\?"
)
"""A question about the image."""
TEXT = any_of("""
    captions? | descriptions? | alt[- ]?text | answer | attempt | response | sentence | summary
""")
CUT_POLITE = any_of("""
    as requested | as you can see | in (?:summary|short|conclusion) | to summari[sz]e
""")
"""Words before a mark that are no beginning of a caption."""
CUT_GREETING = any_of("""
    hello | hi | (?:hi|hello) there | thank you | thanks | voil[\u00e0a]
""")
"""The same only with an exclamation mark."""
CUT_ANSWER = any_of("yes | great | you're welcome")
"""The same only with a full stop or an exclamation mark."""
FORMS = r"[\"'*_#\s]*"
"""Quotation marks and signs of Markdown, which may stand around a lead-in."""
MARKED = (
    r"(?:\.{2,}|\u2026)\s*(?=\w)",
    r"[-\u2013\u2014*+~\u2022\u00b7\u25e6\u25aa\u25cf\u2023>\u2192]\s+(?=[^\W\d_]|[\"'*(\[])",
    r"#{1,6}\s+(?=[^\W\d])|#{2,6}\s+(?=\d)",
    rf"\(?[a-i]\)\s+(?=\w){NO_VERB}",
)
"""Ellipses, markers of lists and of headings that are cut."""
CUTS = (
    rf"{CONSENT},? {FRIEND}\s*[!.:]+(?!\w)",
    # What a model plans is a leak, which is found by its first words: they stay.
    rf"(?!{THOUGHT}){CONSENT}\s*"
    rf"(?:[!.:;\u2014\u2013-]|,(?={CAPTION_WORD})(?:\s*so\b)?)+(?!\w){NO_VERB}{SMILES}",
    rf"{PLAN}\b[^.!?:\n]{{0,40}}\b{ABOUT}\b[^.!?:\n]{{0,60}}[.!:]"
    r"(?=\s+\S)(?!\s+(?:first|so|now|okay|i|let|we|the user)\b)",
    rf"{ASKED}(?=\s+\S)",
    rf"{LABEL_IN_BRACKETS}\s*:?(?=\s*[\w\"'*])|{KEY_VALUE}",
    rf"{CUT_POLITE}\s*(?:[!.:;\u2014\u2013-]|,(?:\s*so\b)?)+(?!\w)",
    rf"{PRAISE}(?=\s*\S){SMILES}",
    rf"{SUGGEST}\s*[*_]*[:\uff1a](?!\w)",
    rf"{EMOJI}\s+(?=[\w\"'\u201c*])",
    rf"{CUT_GREETING}\s*!+(?!\w){NO_VERB}",
    rf"{CUT_ANSWER}\s*[!.]+(?!\w){NO_VERB}",
    rf"{COUNTED}\s*[:,](?!\w)",
    r"here (?:it is|you go)(?:\s*[.!:]+(?!\w)|\s+[\u2013\u2014-]\s)",
    rf"(?:{KIND} )*(?:caption|description|alt[- ]?text)(?:(?:\.|\s+[\u2013\u2014-])\s|{ARROW})",
    rf"{POLITE_WORDS}\s*[!,.:\uff01\uff0c\u3002\uff1a]+",
    rf"{THERE}[^.!?:\uff1a\n]{{0,60}}(?::(?![^\W_])|\uff1a)",
    rf"{LABELS}\s*(?::(?![^\W_])|\uff1a)",
    rf"{HELP}[^.!?:\n]{{0,80}}[.!:](?!\w)",
    rf"(?:{HERE}|this is|below (?:is|are)|the following (?:is|are)) "
    rf"{ADJECTIVES}{NOUN}\b[^.!?:\n]{{0,80}}(?:[:\uff1a]|\.?[^\S\n]*\n)",
    rf"(?:{HERE}|(?:below|the following) (?:is|are)) {ADJECTIVES}{TEXT}\b"
    r"[^.!?:\n]{0,60}[.!]+(?=\s+\S)",
    rf"{HERE}(?: {ADJECTIVES}(?:one|two|three|few|some|several))?\s*[:!]",
    rf"(?:the|this) {PICTURE} (?:can|could|may) be (?:described|captioned|summari[sz]ed) as"
    r"(?: follows)?\s*[:\uff1a]",
    rf"{REASON} (?:(?:the|this|your|my) (?:(?:provided|given|attached|uploaded) )?{PICTURE}"
    rf"|what i (?:can )?see)\b[^.!?:\n]{{0,30}}, "
    rf"(?=(?:{HERE} )?{ADJECTIVES}(?:caption|description)s?\b[^.!?:\n]{{0,60}}[:.!])",
    rf"{LABEL}[*_\"']*\s*(?::(?![^\W_])|\uff1a)",
    rf"a\s*[*_]*[:\uff1a]\s+(?![\"'\u2018\u201c]){NO_VERB}",
    rf"(?:ans|assistant|gpt|{NUMBERED})\s*[*_]*[:\uff1a]\s{NO_VERB}",
)
"""What is cut, as patterns with their marks."""
HEADING = rf"(?:#{{1,6}}\s+[*_]*|[*_]{{2,3}}){LABEL}[*_]*[^\S\n]*\n"
"""A line of its own in Markdown that says what follows: "## Image Description"."""
LINES = f"{BEFORE_CAPTION}|{HEADING}|{REASONING_HEADING}|{TITLE}|{BOLD_LABEL}"
BEHIND = r"(?:[*_]{1,3}(?=\s))?(?:\s*[|>][-+]?[^\S\n]*\n)?"
"""What may stand behind a lead-in: the end of emphasis, and the sign of a text in YAML."""
CUT = re.compile(
    rf"(?:{LINES}|{'|'.join(MARKED)}|{FORMS}(?:{'|'.join(CUTS)}){BEHIND})\s*", re.IGNORECASE
)
ITEM = re.compile(
    r"\s*(?:(?P<bold>\*\*)?[(\[]?(?P<number>\d{1,2})(?:(?P<stop>\.)|[)\]])(?(bold)\*\*)|[-*\u2022])\s+"
    rf"{NO_VERB}(?=[\"'\u2018\u201c*_]*(?P<word>[^\W\d_]+)(?P<digit>\d?))"
)
"""The marker of a list's first item, and the word behind it. "- 5 degrees" has none, and so has a
move of chess such as "1. e4".

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
    absolutely all allow alright alt as based below bien brief caption certainly claro com con
    describe description desde detailed final full generate give gladly good got great happy hello
    here hi i image in let long my na no of ok okay photo picture please por possible proposed
    provide short suggested summarise summarize sure thank thanks to understood very what with write
    yes you
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
        if rest[:1] in SIGNS and rest is not text:
            rest = unwrapped(rest)
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
        is_first = item["number"] == "1" and not item["digit"]
        is_marker = any_number or is_first or IS_ARTICLE.match(item["word"])
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
