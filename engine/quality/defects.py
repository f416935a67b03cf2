"""What can be wrong with a caption by itself, as bits of one number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.quality.clip_tokens import is_beyond_clip
from engine.quality.defect_names import DEFECT_NAMES as DEFECT_NAMES
from engine.quality.defect_names import Defect as Defect
from engine.quality.languages import is_other_language
from engine.quality.leaks import MIN_PROMPT, begins_with_leak, is_leak
from engine.quality.loops import is_loop
from engine.quality.placeholders import is_placeholder
from engine.quality.refusals import is_refusal
from engine.quality.words import head_of
from engine.shearing.lead_ins import is_lead_in
from engine.shearing.reasoning import has_reasoning

EMPTY, TRUNCATED, LOOP, REFUSAL, LEAK, LEAD_IN, OTHER_SCRIPT, BEYOND_CLIP, REASONING = map(
    int, Defect
)
"""The bits of the defects as plain numbers: a caption is compared with them often."""
EVERY_DEFECT = sum(DEFECT_NAMES.values())
"""The bits of all defects."""
OF_THE_BEGINNING = LEAK | REASONING | LEAD_IN
"""The bits of defects that are seen in the beginning of the raw text."""
MAY_BE_CUT = LEAK | LEAD_IN
"""The bits of defects that shearing may have cut."""
OF_THE_RAW_TEXT = OF_THE_BEGINNING | TRUNCATED
"""The bits of defects for which the sheared text need not be known."""
CUT_WORDS = frozenset(
    """
    a an the and or of its their whose which while because but nor although unless until if than
    as my our his every very amid among during featuring being from to with at into onto between
    against toward towards for is are was were has had have been that several
    """.split()  # noqa: SIM905
)
CUT_SIGNS = (",", ";", "(", "-", "\u2013", "\u2014")
"""Words and signs with which no sentence ends."""
PREPOSITIONS = frozenset(
    "from to with at into onto between against toward towards for".split()  # noqa: SIM905
)
OF_CLAUSES = re.compile(
    r"\b(?:to(?! (?:an?|the)\b)|that|which|who|whom|what|where|he|she|we|they|you|i|it|"
    r"being|nobody|someone|everyone|worth)\b",
    re.IGNORECASE,
)
"""Words of a clause that may end with one of `PREPOSITIONS`: "the park we walked to"."""
NOUN_CLAUSE = re.compile(
    r"(?<!in )(?<!on )(?<!at )(?<!to )\b(?:the|an?) \w+ (?:the|an?|his|her|their) \w+ \w+",
    re.IGNORECASE,
)
"""A noun with the subject of such a clause behind it: "the school the girls go to"."""
VERBS = frozenset(("is", "are", "was", "were", "has", "had", "have", "been"))
OF_QUESTIONS = re.compile(r"\b(?:how|what|where|all|than)\b", re.IGNORECASE)
"""Words of a clause that may end with one of `VERBS`: "how old the man is"."""
NAMES_IN_CAPITALS = ("A", "OR", "IS")
"""Words in capitals that are names as well: "Vitamin A", "Portland, OR"."""
LETTERED = frozenset(
    """
    appendix block building category class division exhibit figure gate grade group hall hepatitis
    influenza level line option part phase plan platform point poule route section serie series
    side size stage team terminal type unit version vitamin wing zone
    """.split()  # noqa: SIM905
)
"""Words behind which "a" is the name of the first one: "vitamin a", "serie a"."""
PAUSES = (
    *("a while", "little while", "just because", "the the", "human being", "well being", "of his"),
    *("what if", "as if", "nothing but", "all but", "oh my", "on to", "about to", "in between"),
    *("like that", "and that", "of that", "than that", "do that", "is that", "at that"),
    *("is which", "are which", "cared for", "paid for", "called for", "uncalled for", "asked for"),
    *("accounted for", "unaccounted for", "spoken for", "hoped for", "wished for", "what for"),
)
"""Ends of a sentence that are two words of which the last one is among `CUT_WORDS`."""
CUT_PAIRS = (
    *("surrounded by", "accompanied by", "followed by", "flanked by", "framed by", "topped by"),
    *("illuminated by", "lit by", "lined by", "covered by", "bordered by", "held by", "worn by"),
)
"""Two words with which no sentence ends, outside of a clause: "the wall it is framed by"."""
OF_AT_THE_END = re.compile(
    rf"{OF_CLAUSES.pattern}.* (?:afraid|aware|dream|dreams|fond|out|proud|think|tired)$"
    r"|\bwhat\b.* made$",
    re.IGNORECASE,
)
"""The words before an "of" that ends a clause: "a window to look out of"."""
OPENERS = (
    *("is", "are", "was", "were", "has", "had", "have", "can", "could", "will", "would", "may"),
    *("might", "must", "should", "once", "just", "now", "still", "also", "then", "already"),
    *("always", "never", "often", "only", "apparently", "appear", "appears", "seem", "seems"),
)
"""Words of a clause before what it says."""
CLAUSE_START = re.compile(
    r", (?:and |but )?(?:(?:(?:one|some|many|most|all|both|each|part) of )?"
    rf"(?:who|whom|which|where)(?: (?:{'|'.join(OPENERS)})){{0,3}}"
    r"|(?:in|on|at|to|behind|below|beneath|above|under|near|beyond|beside|next to) [\w ]{3,30}"
    r"(?<! over)(?<! out)(?<! up)(?<! down) there)$",
    re.IGNORECASE,
)
"""The beginning of a clause with which no sentence ends: "a wheel, which once"."""
QUOTE_START = re.compile(
    r"(?<![,\"'\u201d\u2019] a )(?<![,\"'\u201d\u2019] the )"
    r"\b(?:banner|board|caption|headline|inscription|label|lettering|placard|plaque|plate|poster"
    r"|sign|slogan|text|title|words)s?(?: (?:that|which))? (?:reads?|says?|reading|saying)$",
    re.IGNORECASE,
)
"""The announcement of words that are quoted: "a shop whose sign reads"."""
LAST_OPENERS = frozenset(
    [
        *(*OPENERS, "who", "whom", "which", "where", "there"),
        *("read", "reads", "reading", "say", "says", "saying"),
    ]
)
"""The last words of `CLAUSE_START` and `QUOTE_START`."""
OPEN_QUOTE = re.compile(r"\s[(\[]?([\"\u201c])[^\"\u201c\u201d]*$")
"""A quotation mark that nothing closes, if there is an odd number of straight ones."""
NEARBY = 40
"""Characters at the end of a text in which its last words are."""
LATEST = 60
"""Characters at the end of a text in which its last clause may begin."""


def breaks_off(raw: str) -> bool:
    """Return True if a text ends within a sentence."""
    if raw.endswith("."):  # as most do
        return False
    raw = raw.rstrip()
    if raw[-1:].isalpha():
        last = raw[-16:].rpartition(" ")[2].lower()
        if last in CUT_WORDS:
            return not ends_in_name(raw)
        if last == "by" and raw[-NEARBY:].lower().endswith(CUT_PAIRS):
            return OF_CLAUSES.search(raw[-NEARBY:]) is None
        return (last in LAST_OPENERS and begins_clause(raw)) or ends_in_quote(raw)
    return (raw[-16:-1].strip() != "" and raw.endswith(CUT_SIGNS)) or ends_in_quote(raw)


def begins_clause(raw: str) -> bool:
    """Return True if a text ends with words that only begin a clause or announce a quotation."""
    end = raw[-LATEST:]
    return QUOTE_START.search(end) is not None or CLAUSE_START.search(end) is not None


def ends_in_quote(raw: str) -> bool:
    """Return True if a text ends within quotation marks that begin behind another word."""
    if '"' not in raw and "\u201c" not in raw:  # as in most
        return False
    opened = OPEN_QUOTE.search(raw)
    return opened is not None and (opened[1] != '"' or raw.count('"') % 2 == 1)


def ends_in_name(raw: str) -> bool:
    """Return True if the last of a text's words, which is one of `CUT_WORDS`, may end it.

    A capital letter may be a name, unless a sentence begins with it.
    """
    before, _, last = raw[-NEARBY:].rpartition(" ")
    before = before.rstrip()
    if last in NAMES_IN_CAPITALS:
        return before[-1:].isalnum() or before.endswith(",")
    if last.lower() in PREPOSITIONS and any(
        clause.search(before) is not None for clause in (OF_CLAUSES, NOUN_CLAUSE)
    ):
        return True
    if last == "of" and OF_AT_THE_END.search(before) is not None:
        return True
    if last.lower() in VERBS and OF_QUESTIONS.search(before) is not None:
        return True
    previous = before.rpartition(" ")[2].lower()
    return (last == "a" and previous in LETTERED) or f"{previous} {last}".lower() in PAUSES


class DefectFinder:
    """Finds the defects of the captions of one model."""

    def __init__(
        self, language: str, prompts: Sequence[str] = (), wanted: int = EVERY_DEFECT
    ) -> None:
        """`language` is the code of the language asked for, `prompts` what the model was asked.

        `wanted` has the bits of the defects that are looked for.
        """
        self.language = language
        self.wanted = wanted
        self.prompts = [prompt for prompt in prompts if len(prompt) >= MIN_PROMPT]

    def find(
        self,
        raw: str,
        finish: str,
        sheared: str,
        words: Sequence[str],
        distinct: frozenset[str],
        possible: int = EVERY_DEFECT,
    ) -> int:
        """Return the defects of a caption, as bits.

        `words` are those of the sheared text (`words_of`), `distinct` the same as a set. Defects
        that are not `possible` are not looked for.
        """
        wanted, defects = self.wanted & possible, 0
        if wanted & TRUNCATED and (finish == "length" or breaks_off(raw)):
            defects = TRUNCATED
        if wanted & OF_THE_BEGINNING:
            head = head_of(raw)
            if is_leak(raw, head, self.prompts):
                defects |= LEAK
                if has_reasoning(raw):
                    defects |= REASONING
            if is_lead_in(head) and not begins_with_leak(raw, head):
                defects |= LEAD_IN
        if wanted & LOOP and is_loop(sheared, words, distinct):
            defects |= LOOP
        if not words:
            return (defects | EMPTY) & wanted
        if wanted & EMPTY and is_placeholder(words):
            defects |= EMPTY
        if wanted & REFUSAL and is_refusal(sheared, words, distinct):
            defects |= REFUSAL
        if wanted & OTHER_SCRIPT and is_other_language(sheared, distinct, self.language):
            defects |= OTHER_SCRIPT
        if wanted & BEYOND_CLIP and is_beyond_clip(sheared):
            defects |= BEYOND_CLIP
        return defects & wanted

    def cut_by_shearing(self, defects: int, sheared: str) -> int:
        """Return which of a caption's defects, as bits, shearing has cut: leaks and lead-ins.

        Of an empty caption none is. A lead-in may have lost its full stop, and be all that is left.
        """
        cut = 0
        if defects & MAY_BE_CUT and not defects & EMPTY:
            head = head_of(sheared)
            if defects & LEAK and not is_leak(sheared, head, self.prompts):
                cut = LEAK
            if defects & LEAD_IN and not (is_lead_in(head) or is_lead_in(f"{head.rstrip('.')}. ")):
                cut |= LEAD_IN
        return cut
