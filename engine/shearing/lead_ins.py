"""Lead-ins: what a model says before the caption, such as "Sure! Here is", "1." or "Caption:".

The phrases are those of released instruction-tuned models, as their users report them. More of them
are found here than `cut_lead_ins.py` cuts.
"""

from __future__ import annotations

import re

from engine.shearing.lead_ins_elsewhere import LABELS, POLITE_WORDS, THERE
from engine.shearing.phrases import any_of
from engine.shearing.titles import BEFORE_CAPTION

NOUN = any_of("""
    captions? | descriptions? | summar(?:y|ies) | answers? | responses? | outputs? | results? |
    titles? | alt[- ]?texts? | sentences? | overview | breakdown | versions? | interpretations? |
    analysis | attempts? | options? | suggestions? | ideas? |
    one-liners? | what (?:i|is|you|the (?:image|picture|photo))
""")
ADJECTIVE = any_of("""
    one | a | an | the | my | your | some | possible | short | brief | concise | detailed |
    single | simple | one-(?:sentence|line) | image | picture | photo | text | final | generated |
    suggested | requested | full | long | revised | improved | accurate | clear | correct | best |
    right | suitable | following | potential | single-sentence | comprehensive | few | two |
    three | several | list of | step-by-step | better | more | updated | new | proposed | visual |
    scene | english | longer | shorter | fitting | appropriate | catchy
""")
ADJECTIVES = rf"(?:{ADJECTIVE}(?:,? |-))*"
PICTURE = any_of("""
    image | picture | photo | photograph | scene | prompt | request | question | visual
""")
POLITE = any_of("""
    sure(?: thing)? | certainly | of course | absolutely | okay | ok | alright | all right | yes |
    no problem | got it | gladly | understood | great | (?:great|good) question | very well |
    with pleasure | my pleasure | happy to help | right | well | hello | hi | (?:hi|hello) there |
    definitely | indeed | in (?:summary|short|conclusion|other words) | to summari[sz]e | so |
    you're welcome | thank you | thanks
""")
"""What stands before a comma, an exclamation mark and the like."""
CAPTION_WORD = (
    r"(?=\s*(?:so|here|i|i'(?:d|ll|m|ve)|this|that|these|there|the|an?|it's|in|below|let|let's|as|"
    r"it(?= (?:is|looks|shows|depicts|appears|seems))|"
    r"based|but|please|just|we|you|my|your|one|two|three|\W)(?!\w)|\s*\Z)"
)
"""A word with which captions, and other lead-ins, begin."""
CONSENT = any_of("""
    sure(?: thing)? | certainly | of course | absolutely | okay | ok | alright | all right |
    no problem | got it | gladly | understood | (?:great|good) question | very well |
    with pleasure | my pleasure
""")
"""What may be the beginning of a caption before a comma: "Of course, no picnic is perfect"."""
PRAISE_WORD = any_of("""
    nice | great | good | lovely | beautiful | cool | cute | awesome | amazing | wonderful |
    stunning | gorgeous | fantastic | fun | interesting | charming | adorable | striking
""")
PHOTO = any_of("photo | picture | image | shot | photograph | pic | capture")
PRAISE = (
    r"(?:(?:wow|oh)[,!]* )?"
    r"(?:what an? |(?:that's|that is|this is|it's) (?:(?:such|really|truly) )?an? )?"
    rf"(?:(?<=\ba )|(?<=\ban )|{PRAISE_WORD}(?: |, | and ))(?:{PRAISE_WORD}(?: |, | and )){{0,3}}"
    rf"{PHOTO}(?: you(?:'ve)? (?:have|got|took|shared))?\s*!+"
)
"""A comment to the user: "What a lovely photo!"."""
NO_VERB = r"(?!\W{0,9}(?:is|are|was|were|has|reads?|appears?|and|or) )"
"""No verb and no conjunction: before one, a mark is a part of the sentence: "3) is circled"."""
FRIEND = any_of("boss | (?:my )?friend | buddy | mate | sir | madam | dear | everyone | folks")
"""Whom a model talks to: "Sure thing, boss:"."""
CALL = any_of("caption | describe | call | title | label")
AS = r"(?: (?:like this|as follows|as|this way))"
SUGGEST = any_of(rf"""
    i(?:'d| would|'ll| will) (?:go with|suggest|propose|say|call it|caption (?:it|this)(?: as)?) |
    i(?:'d| would|'ll| will) describe (?:it|this|that|(?:the|this|your) {PICTURE}){AS}? |
    (?:picture|imagine) this |
    (?:you|we) (?:could|can|might|may) {CALL} (?:it|this|that|(?:the|this|your) {PICTURE}){AS}? |
    (?:how|what) about(?: this(?: one)?)? | tl;?\s?dr
""")
"""What a model says before a colon, as if in a talk."""
NUMBERED = r"(?:english|en|option [a-c]|(?:caption|option|step|image|picture|photo) ?\d+)"
ARROW = r"\s*(?:[\u2192\u27a1]\ufe0f?|[=-]{1,2}>)\s*"
EMOJI = (
    r"(?:[\u2705\u2714\u2611\u27a1\u270d\u270f\u2728\U0001f31f\U0001f3a8\U0001f449\U0001f4ac"
    r"\U0001f4dd\U0001f4f7\U0001f4f8\U0001f539\U0001f538\U0001f5bc]\ufe0f?|\d\ufe0f?\u20e3)"
)
"""Pictographs that stand before a caption: cameras, ticks, hands that point, pens, stars and digits
on keys."""
SMILES = r"(?:\s*[\u263a\u2728\U0001f389\U0001f44d\U0001f44b\U0001f600-\U0001f64f]\ufe0f?)*"
"""What may stand behind a mark of politeness."""
OFFER = any_of("""
    i(?:'d| would| will|'ll) be (?:happy|glad|delighted) to |
    i(?:'d| would) (?:love|say|describe|caption) | happy to (?:help|assist) |
    allow me to (?:describe|caption|provide|give|write) |
    i(?:'ll| will| can) (?:describe|provide|give|write|caption|help|do|try) |
    i (?:think|believe|guess) (?:the|this|it|that) | as you can see | please (?:find|see) |
    as (?:requested|you (?:requested|asked|wished))
""")
REASON = any_of("""
    based on | according to | from | in response to | given | to describe | in answer to |
    upon (?:viewing|examining) | after (?:viewing|analy[sz]ing|examining)
""")
HERE = any_of("here(?:'s| is| are| you go| it is| we go)")
BARE = any_of("""
    sure(?: thing)? | certainly | of course | absolutely | okay | ok | alright | all right | yes |
    no problem | got it | gladly | understood | (?:great|good) question | very well |
    with pleasure | my pleasure | happy to help | you're welcome
""")
"""What is no caption by itself, whatever follows it."""
COUNTED = (
    r"(?:in|using) (?:(?:no more than|at most|under|about|exactly|just|only) )?"
    r"(?:(?:a|one|two|three|\d+)(?: (?:single|short|few|simple|brief))?|a few|few) "
    r"(?:sentence|phrase|word|line)s?"
)
"""What repeats the length that was asked for: "in one sentence"."""
KIND = any_of("""
    image | photo | picture | short | detailed | brief | full | long | alt | suggested | possible |
    final | proposed
""")
SUITABLE = any_of("possible | suitable | good | fitting | appropriate | potential | suggested")
LABEL_IN_BRACKETS = (
    rf"[(\[\u3010](?:(?:image|photo|short) )?(?:caption|description|{LABELS})[)\]\u3011]"
)
"""A label as in "(Caption) A boy"."""
KEY_VALUE = any_of(r"""
    [a-z][\w-]{1,15} caption\s*:\s | (?:caption|description|alt[- ]?text)\s+=\s
""")
"""Labels of captions as tools write them: "BLIP caption: a boy", "caption = a boy"."""
STARTS = (
    rf"(?!{CONSENT}\s*,(?!{CAPTION_WORD})|yes, it|well,? well)"
    rf"{POLITE}\s*[!,.:;\u2014\u2013-]+(?!\w){NO_VERB}",
    rf"{CONSENT},? {FRIEND}\s*[!.:]",
    rf"voil[\u00e0a]\s*!{NO_VERB}",
    rf"{LABEL_IN_BRACKETS}|\[(?:image|photo|picture)\s*:|{KEY_VALUE}",
    r"assistant[^\S\n]*\n",
    PRAISE,
    rf"{SUGGEST}\s*:(?!\w)",
    r"(?:sure|certainly|of course|absolutely|okay|ok|yes|(?:thank you|thanks) for) "
    r"(?:here|i|this|the image shows|let|below|providing|sharing|uploading|the (?:image|picture))",
    rf"{OFFER}\b",
    rf"{REASON} (?:the|this|your|my) (?:(?:provided|given|attached|uploaded) )?{PICTURE}\b"
    r"[^.]{0,30}[,:]",
    rf"based on what i (?:can )?see\b[^.]{{0,30}}, {HERE}\b",
    rf"(?:{HERE}|this is|below (?:is|are)|the following (?:is|are)) {ADJECTIVES}{NOUN}\b",
    rf"{HERE}(?: {ADJECTIVES}(?:one|two|three|few|some|several))?\s*"
    r"(?:[:!,.]|[\u2013\u2014-]\s|\Z)",
    rf"{BARE}\W*\Z",
    rf"{COUNTED}\s*[:,]",
    rf"{POLITE_WORDS}\s*(?:[!,.:;\uff01\uff0c\u3002\uff1a]|\Z)",
    rf"{THERE}[^.!?:\uff1a\n]{{0,60}}[:\uff1a]|{LABELS}\s*[:\uff1a]",
    rf"(?:the|this) {PICTURE} (?:can|could|may) be (?:described|captioned|summari[sz]ed) as\b",
    r"the following (?:caption|description)\b",
    rf"(?:{KIND} )*(?:caption|description|alt[- ]?text)(?:\s*[.\u2013\u2014-]\s|{ARROW})",
    rf"{ADJECTIVES}{NOUN}\s*(?:\([^)]{{0,30}}\)\s*)?"
    rf"(?:(?:of|for|to) (?:the|this|your|an) (?:(?:provided|given|attached|input) )?{PICTURE}\s*)?"
    r"(?:#?\d+\s*)?(?:is|are|would be|could be|might be|reads?|goes)?\s*(?:as follows\s*)?"
    r"[*_\"']*\s*[:\uff1a]",
    rf"(?:a|one|an) (?:short )?{SUITABLE} {NOUN}\b",
    rf"(?:my|the) {ADJECTIVES}(?:caption|description) "
    rf"(?:is|would be|could be|for (?:this|the) {PICTURE}\b)",
    rf"a\s*[*_]*[:\uff1a]\s+(?![\"'\u2018\u201c]){NO_VERB}",
    rf"(?:image|text|ans|desc|label|content|subject|scene|{NUMBERED}|(?:figure|fig\.) ?\d+)"
    rf"\s*[*_]*[:\uff1a]\s{NO_VERB}",
)
"""Patterns of the beginning of a text in lower case."""
ARTICLE = any_of("an? | the | this | there | two | three")
"""What begins an item of a list, behind any number: "2. A dog", but not "7. Sinfonie"."""
MARKERS = (
    rf"[(\[]?(?:1\.(?!\s[a-z]{{1,2}}\d)|\d{{1,2}}[)\]]|\d{{1,2}}\.(?=\s+{ARTICLE}\b))\s{NO_VERB}",
    BEFORE_CAPTION,
    rf"{EMOJI}\s+(?=[\w\"'*])",
    r"\d{1,2}\s?[:-]\s+[a-z]",
    rf"\(?[a-z]\)\s{NO_VERB}",
    r"\((?:i{1,3}|iv|v)\)\s",
    r"(?:[-\u2013\u2014](?!\s+\d)|[*+~\u2022\u00b7\u25e6\u25aa\u25cf\u2023>\u2192])\s",
    r"#{1,6} [*_]{0,3}(?=[^\W\d])|#{2,6} \d",
    r"(?:\.{2,}|\u2026)\s*\w",
    r"[=-]+>\s",
    r"\*{2,3}(?=[^\s*])|_{2,3}[^\s_][^_\n]*_{2,3}\s*\n",
    r"[*_]{1,3}[^\s*_][^*_\n]*[*_]{1,3}\W*\Z",
    r"[\u300c\u300e][^\u300c-\u300f\n]*[\u300d\u300f]\W*\Z",
    r"[*_\s]{0,3}[\"\u201c\u201e\u00ab][^\"\u201c\u201d\u00bb\n]*(?:[\"\u201c\u201d\u00bb]\W*)?\Z",
    r"`[^`\n]+`\W*\Z",
    r"[*_\s]{0,3}'(?:[^'\n]|(?<=\w)'(?=\w))+'\W*\Z",
)
"""Patterns of markers of lists and headings, of leading ellipses, of texts that are in quotation
marks as a whole, and of a quotation mark that nothing closes."""
LEAD_IN = re.compile(rf"\s*(?:{'|'.join(MARKERS)}|[\"'\u201c*_#\s]*(?:{'|'.join(STARTS)}))")


def is_lead_in(head: str) -> bool:
    """Return True if something else than a caption begins a text with this head (`head_of`)."""
    return LEAD_IN.match(head) is not None
