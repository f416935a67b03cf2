"""Refusals: the model says that it cannot or will not caption the image.

The phrases are those of released instruction-tuned models (LLaVA, Qwen-VL, InternVL, Gemma, GPT-4V
and others), as their users report them; the list of "test prefixes" by which GCG finds refusals
(Zou et al. 2023, arXiv 2307.15043) holds the same kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.quality.words import QUOTED
from engine.shearing.phrases import any_of

NOT = any_of("""
    can'?t | cannot | can not | could(?:n'?t| not) | won'?t | will not | do(?:n'?t| not) |
    should(?:n'?t| not)
""")
VERB = any_of("""
    access | analy[sz]e | answer | assist | caption | comment | complete | comply | create |
    describe | detect | determine | discern | discuss | display | engage | find | fulfil |
    generate | give | have | help | identify | interpret | know | load | look | make | open |
    perceive | process | produce | provide | read | recogni[sz]e | respond | say | see | share |
    show | support | tell | understand | verify | view | write
""")
ADVERBS = (
    rf"(?:{any_of('actually | currently | really | directly | just | simply | also | yet')} )*"
)
PICTURE = any_of("images? | pictures? | photos? | photograph | visual content | attachment | file")
SIZE = rf"(?:{any_of('large | text-based | text based | text-only | visual | responsible')} )*"
MACHINE = any_of("""
    ai | artificial intelligence | language model | llm | chatbot | virtual assistant |
    assistant(?=,| i\\b)
""")
EXCUSES = any_of("""
    (?:i'?m|i am|we'?re|we are)(?: (?:so|very|truly|really|terribly))? (?:sorry|afraid)\\b |
    (?:(?:oh|oops),? )?sorry(?=\\s*[,.!;:\u2014\u2013-]|$| (?:but|i|we|for|this|the|about|no)\\b) |
    (?:(?:my|i offer my) )?apologies\\b | (?:i|we) (?:(?:do|must|sincerely) )?apologi[sz]e |
    pardon me | forgive me
""")
INABILITIES = any_of("""
    unable | not able | incapable | not capable | not allowed | not permitted | not comfortable |
    not programmed | not designed | not equipped | not in a position | not going to |
    not authori[sz]ed | only able | not sure what you | having (?:trouble|difficulty) |
    prohibited | forbidden
""")
REFUSING = any_of("""
    lack the | do(?:n't| not) feel comfortable | (?:must|have to) (?:respectfully )?decline |
    (?:must|have to) refuse | (?:can only|only) (?:process|understand|read|handle|work with) |
    have no (?:way|ability|means|eyes|access) |
    (?:(?:respectfully|politely) )?(?:decline|refuse) to | would (?:rather|prefer) not | cannot
""")
NOT_THERE = any_of("""
    available | attached | provided | uploaded | load(?:ed)? | displayed | display | shown |
    viewed | accessible | seen | processed | opened | described | analy[sz]ed | appear |
    come through | upload | detected | retrieved | included | visible | given | shared | found |
    here | to
""")
NEGATION = any_of("""
    is not | isn'?t | was not | wasn'?t | could not be | couldn'?t be | cannot be | can'?t be |
    failed to | did not | didn'?t | does not | doesn'?t | has not | hasn'?t
""")
RULES = any_of("""
    violates | may violate | goes against | is against | is inappropriate |
    contains inappropriate | (?:has been|was) (?:blocked|filtered|removed|flagged)
""")
OTHER_LANGUAGES = any_of("""
    lo siento\\b | disculpa | je suis désolé | désolée?\\b | (?:es )?tut mir leid |
    entschuldigung | mi dispiace | desculpe\\b | sinto muito | przepraszam | извините | простите |
    к сожалению | (?:很|非常)?抱歉 | 对不起 | 對不起 | 申し訳 | すみません | 죄송
""")
STARTS = (
    EXCUSES,
    rf"(?:i|we) {ADVERBS}{NOT} {ADVERBS}(?:be able to )?{VERB}\b",
    rf"(?:i|we)(?:'m| am|'re| are| was| were| remain)? {ADVERBS}{INABILITIES}\b",
    r"(?:i|we) (?:was|were|are|am)(?:n't| not) able\b",
    rf"(?:i|we)(?:'m going to| will| would)? {REFUSING}",
    r"(?:i|we)(?:'d| would)? need (?:to see|more|you|an?|the|additional)\b.{0,40}"
    rf"\b(?:{PICTURE}|information|context)\b",
    rf"(?:unable|not able|failed) to {VERB}\b",
    rf"(?:cannot|can'?t|can not|could not) {VERB} (?:the|this|that|any|an|your|what|with)\b",
    r"it(?:'s| is| was| would be) (?:not possible|impossible|not appropriate|inappropriate) "
    rf"(?:for me to {VERB}|to (?:describe|identify|provide|caption|process|access|analy[sz]e))\b",
    rf"as an? {SIZE}{MACHINE}\b",
    rf"(?:i'?m|i am) (?:(?:just|only|merely) )?an? "
    rf"(?:{SIZE}{MACHINE}|text-(?:based|only) model)\b",
    rf"(?:there(?:'s| is| was| seems to be| appears to be| are) )?no {PICTURE} "
    rf"(?:(?:is|was|were|has been|have been) )?{NOT_THERE}\b",
    rf"(?:error[:,]? )?(?:no |the )?{PICTURE} not {NOT_THERE}\b",
    rf"no {PICTURE}\W*$",
    rf"(?:the|this|your) {PICTURE} (?:appears|seems) to be (?:missing|corrupted|broken|blank)\b",
    r"no (?:caption|description) (?:can|could) be\b",
    r"(?:this|the|your) request (?:can'?t|cannot|could not) be\b",
    r"my (?:programming|guidelines|policy|policies|training) (?:do|prohibit|prevent|forbid)",
    rf"(?:the|this|your|that) {PICTURE}(?: you (?:sent|provided|uploaded|shared))? {NEGATION} "
    rf"(?:been )?(?:be )?{NOT_THERE}\b",
    rf"(?:please|could you|can you|kindly)(?: (?:please|kindly))? "
    rf"(?:provide|upload|share|attach|send|resend|re-upload|try)\b.{{0,40}}\b(?:{PICTURE}|again)\b",
    rf"(?:this|the|your) (?:content|request|prompt|question|image) {RULES}",
    r"\[?content (?:warning|removed|filtered|blocked)",
    r"safety (?:warning|policy|filter)",
    OTHER_LANGUAGES,
)
"""Patterns of the beginning of a refusal."""
OPENINGS = any_of("""
    unfortunately | regrettably | sadly | however | hmm+ | oh | uh | well | hello | hi | hey |
    there | thank you | thanks | no | at this time | honestly | but | while |
    it (?:seems|appears|looks)(?: (?:like|that|as if|as though))?
""")
"""What may stand before it, each with its punctuation."""
LATER = (
    r"\bas an? (?:large )?(?:ai|artificial intelligence)"
    r"(?: language)?(?: (?:model|assistant|system)|,)",
    rf"\bas a {SIZE}language model\b",
    rf"\bi(?: am|'m) (?:(?:just|only) )?an? (?:ai|{SIZE}language model)\b",
    rf"\b(?:i|we) {ADVERBS}(?:can'?t|can ?not|(?:am|'m|are) (?:unable|not able) to) {ADVERBS}"
    r"(?:assist|help with|comply|fulfil|describe|view|see|process|access|analy[sz]e|identify|"
    r"provide|generate|recogni[sz]e)\b",
    r"\bagainst (?:my|our) (?:guidelines|policy|policies|programming|rules|principles)\b",
    r"\bfor me to (?:describe|caption|identify|analy[sz]e|provide)\b",
    r"\b(?:unable|not able) to (?:view|see|access|process|open|display|analy[sz]e) "
    rf"(?:(?:the|this|any|your|an|actual|attached) )*{PICTURE}\b",
)
"""Patterns of a refusal that may come later, such as "Unfortunately, ... I cannot describe"."""
REFUSAL = re.compile(rf"\W*(?:{OPENINGS}\b[,.!: \u2014-]*)*(?:{'|'.join(STARTS)})", re.IGNORECASE)
LATER_REFUSAL = re.compile("|".join(LATER), re.IGNORECASE)
FIRST_WORDS = frozenset(
    """
    apologies as at but can cannot content could couldn desculpe disculpa entschuldigung error
    es failed forgive hello hey hi hm hmm hmmm honestly however i im image it je kindly lo mi my
    no not oh oops pardon please przepraszam regrettably sadly safety sinto sorry thank thanks
    that the there this tut uh unable unfortunately we well while your
    """.split()  # noqa: SIM905
)
"""The words with which a refusal in ASCII begins, as `words_of` gives them."""
REFUSED_THINGS = frozenset(
    """
    attachment content file image images photo photograph photos picture pictures prompt question
    request visual
    """.split()  # noqa: SIM905
)
"""What stands behind "the", "this" and "that" where a refusal begins with them."""
SAID_OF_THINGS = (
    *("appears", "can", "contains", "content", "could", "did", "does", "failed", "goes", "has"),
    *("is", "may", "not", "seems", "violates", "was", "you"),
)
"""Beginnings of the third word of such a refusal."""
LATER_WORDS = frozenset(
    (
        "able",
        "ai",
        "artificial",
        "guidelines",
        "i",
        "language",
        "me",
        "policies",
        "policy",
        "unable",
        "we",
    )
)
"""One of these words is in every text of `LATER`."""


def is_refusal(text: str, words: Sequence[str], distinct: frozenset[str]) -> bool:
    """Return True if a model refuses in this text to caption the image.

    `words` are those of the text (`words_of`), `distinct` the same as a set.
    """
    if not words:
        return False
    if (not text.isascii() or may_begin_refusal(words)) and REFUSAL.match(plain_of(text)):
        return True
    return not LATER_WORDS.isdisjoint(distinct) and (
        LATER_REFUSAL.search(QUOTED.sub("", plain_of(text))) is not None
    )


def plain_of(text: str) -> str:
    """Return a text with the apostrophes of ASCII."""
    return text.replace("\u2019", "'")


def may_begin_refusal(words: Sequence[str]) -> bool:
    """Return False for most texts in ASCII with these words that do not begin with a refusal.

    The pattern takes ten times as long, above all of "The image shows" and "There are".
    """
    if words[0] not in FIRST_WORDS:
        return False
    if len(words) < 3:
        return True
    first, second, third = words[:3]
    if first in ("the", "this", "that"):
        return second in REFUSED_THINGS and third.startswith(SAID_OF_THINGS)
    return first != "there" or second not in ("is", "are", "was") or third == "no"
