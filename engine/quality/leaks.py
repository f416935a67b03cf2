"""Leaks: parts of a prompt, a chat template, a model's reasoning or a data format in a caption.

The tokens are those of the tokenizers and chat templates of released models: ChatML (Qwen,
InternVL), Llama 2 to 4, Mistral, Gemma, Phi, DeepSeek, Kimi, GLM, gpt-oss, Vicuna, Otter and
MiniGPT-4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from engine.quality import thinking_aloud
from engine.quality.thinking_aloud import TEXTS
from engine.shearing.headings import HEADING
from engine.shearing.phrases import any_of

ROLES = any_of("""
    USER | ASSISTANT | SYSTEM | HUMAN | GPT | BOT | User | Assistant | System | Human | Gpt | Bot |
    Chatbot | AI | MODEL | Model | Instruction | INSTRUCTION | Input | INPUT
""")
LABELS = any_of("""
    Question | QUESTION | Query | Prompt | PROMPT | Final Answer | FINAL ANSWER | Final answer | Q
""")
TITLES = any_of(r"""
    (?:Human|System)\s*:\s*(?:an?|the|\d)\b |
    Model\s*:\s*(?:\d|an? (?:\w+ )?(?:woman|man|girl|boy|lady)\b) |
    (?:Question|Query|Q)\s*:\s*(?:an?|the|and|or)\b
""")
"""Words before a colon that are no labels, but those of a title, of a sign or of a person who
poses."""
BRACKETED = any_of(r"""
    INST | SYS | THINK | IMG | IMG_\w+ | IMAGE | image | BOS | EOS | PAD | UNK | SEP | CLS | MASK |
    gMASK | TOOL_CALLS | AVAILABLE_TOOLS | END | UNUSED_TOKEN_\d+
""")
TOKEN_NAMES = any_of("""
    im_start | im_end | end_of_turn | start_of_turn | endoftext | eot_id | end_of_utterance
""")
KNOWN_TAGS = any_of(r"""
    image | img | picture | video | audio | ref | box | bbox | quad | point | object | region |
    mask | s | p | b | i | u | em | strong | br | hr | div | span | h\d | ul | ol | li | a | td |
    tr | table | code | pre | bos | eos | pad | unk | sep | cls | caption | description | answer |
    output | text | response | summary | title | think | thinking | thought | reasoning | user |
    assistant | system | human | bot | endoftext | eo[acdhmpt] | so[hp]
""")
"""Tags of HTML, of tokenizers and of answers, which are leaks wherever they stand."""
SLOTS = any_of("""
    adjective | noun | verb | adverb | object | subject | action | colou?r | place | location |
    setting | scene | number
""")
"""What is to be filled into a template."""
KEYS = any_of("caption | description | image | text | answer | response | content | role | title")
MISREAD = (
    "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u201a\u201e"
    "\u2020-\u2022\u2030\u2039\u203a\u20ac\u2122]"
)
"""The later bytes of UTF-8, read as Windows-1252. Dashes and quotation marks are left out, since
they follow on a capital, too."""
LIMITED = any_of(r"""
    max(?:imum)?\.? | at most | up to | under | below | within | exactly | about | around |
    approximately | approx\.? | less than | fewer than | no more than | word count: |
    token count: | length:
""")
MARKS = (
    # Chat tokens, tags of reasoning, HTML, tokens of pictures and boxes. <PERSON> stands for names
    # in the texts of CC12M. A plain word behind another one may be no tag.
    r"<[|\uff5c][^<>\n]{1,60}?[|\uff5c]?>|<\w{1,40}\|>",
    r"<</?SYS>>",
    r"</[A-Za-z][\w:.-]{0,40}\s*>|<[A-Za-z][\w:.-]{0,40}(?:\s+\w+=|\s*/\s*>)",
    rf"<(?:(?i:{KNOWN_TAGS})|start|stop|end)\s*>|<(?!PERSON>)[A-Za-z](?=\w{{0,40}}[A-Z\d_:.-])[\w:.-]{{0,40}}\s*>",
    r"(?<!\w )<(?!PERSON>)[A-Za-z]{1,40}>|<(?!PERSON>)[A-Za-z]{1,40}>(?=\w)",
    r"<0x[0-9A-Fa-f]{2}>",
    r"<(?:think|thinking|thought|reasoning|caption|description|answer|output|response)\b",
    rf"[<\[](?i:{SLOTS})[>\]]",
    rf"\[/?{BRACKETED}\]|\[/\w{{1,20}}\]|\[\|[^\[\]\n]{{1,40}}\|\]",
    r"\[(?:END|START|BEGIN|BEGINNING|STOP)\b[^\[\]\n]{0,30}\]",
    r"\[(?:end|start|beginning) of [^\[\]\n]{0,30}\]",
    r"[\u25c1\u27e8\u3008]/?\w+[\u25b7\u27e9\u3009]",
    rf"{TOKEN_NAMES}\b",
    r"###",
    r"(?<!\S)/no_think\b|\n(?:USER|ASSISTANT|[Uu]ser|[Aa]ssistant)\s*\Z",
    # Pieces of byte-level, SentencePiece and WordPiece tokenizers that were not decoded.
    r"[\u0120\u010a]\w|\u2581\w|(?<!\S)##[a-z0-9]",
    # Texts that were decoded as another encoding ("\u00c3\u00a9" for "\u00e9"), or are no text.
    rf"[\u00c2\u00c3]{MISREAD}|(?:[\u00d0\u00d1]{MISREAD}){{2}}|\u00e2\u20ac\S|\ufffd",
    # Places of objects, references to sources, limits of the instruction.
    r"\[\s*-?\d[\d.]*(?:\s*,\s*-?\d[\d.]*){3}\s*\]",
    r"\(\d{1,4},\s?\d{1,4}\),\s?\(\d{1,4},\s?\d{1,4}\)",
    r"[(\[{]\s?[xX]\d?\s?[=:]\s?-?\d[\d.]{0,9}\s?,\s?[yY]\d?\s?[=:]\s?-?\d",
    r"\u3010\d[\d:]*\u2020|\boaicite\b",
    rf"\((?:{LIMITED} ?)?(?:\d+\s?[-\u2013]\s?)?\d+ (?:tokens?|words?|characters)"
    r"(?: (?:or (?:fewer|less)|max(?:imum)?\.?|limit))?\)|\b(?:[Ww]ord|[Tt]oken) [Cc]ount\s?:",
    # Code, templates, LaTeX, JSON, escapes that were not decoded.
    r"```",
    r"\{\{|\}\}|\{%|%\}|(?<!\w)%[sd]\b",
    r"\{[A-Za-z]\w{1,30}\}",
    r"\\(?:boxed|text|begin|end)\b|\\n|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}",
    r"[{\[]\s*[\"'][^\"'\n]{1,300}[\"']\s*(?::|,\s*[\"']|\])",
    rf"[\"']{KEYS}[\"']\s*:",
    rf"\{{\s*{KEYS}\s*:|\b{KEYS}\s*:\s*\w{{1,20}}\s*=\s*[\"']",
    rf"\b[A-Za-z]\w{{2,20}}\s*=\s*[\"']|(?<![?&\w]){KEYS}=\w",
    # "M&Ms;" is no sign of HTML.
    r"&(?:lt|gt|[A-Za-z][A-Za-z0-9]{2,30}|#\d+|#x[0-9A-Fa-f]+);",
    r"!\[[^\]\n]{0,200}\]\(|\]\((?:https?:|\S{1,300}?\))",
    *thinking_aloud.MARKS,
)
"""Patterns of marks that no caption holds by itself."""
LINES = (
    rf"(?!{TITLES})(?:{ROLES}|{LABELS})\s*:",
    rf"[(\[*_]{{0,3}}(?i:{thinking_aloud.LABELS})[*_]{{0,3}}\s*:",
    r"(?:system|user|assistant|model|human)\s*(?::|\n)|(?:User|Assistant|ASSISTANT)[^\S\n]*\n",
    rf"(?i:{HEADING})",
    r"print\s?\(\s*f?[\"']",
    r"[{\[]\s*[\"']\w",
)
"""Patterns of labels, of headings, of JSON and of code at the beginning of a text, a line or a
sentence. "Human: a portrait" is a title."""
GREETING = (
    r"(?:(?:hello|hi|hey|sure|certainly|of course|absolutely|great|okay|ok|yes|thanks|thank you|"
    r"you're welcome|i(?:'d| can| will|'ll|'m) (?:be|help|here|happy|glad|ready))\b"
    r"[^.!?,\n]{0,60}[.!?,]+\s+){0,2}"
)
"""What may stand before a question to the user."""
ASK = any_of("know | see | hear | ask | discuss | do | talk")
OFFERS = any_of(rf"""
    (?:how|what else|what) (?:can|may|could) i (?:help|assist|do for)[^.!?\n]{{0,60}}\? |
    what (?:else )?(?:would you like|do you want) (?:me to|to {ASK}) |
    would you like (?:me to|to {ASK}|.{{0,30}}{TEXTS}) |
    would you like (?:more|further) details? |
    (?:do|did) you (?:want|need) me to | (?:please )?let me know (?:if|whether|what you|how i) |
    i hope (?:this|that|it) (?:helps|{TEXTS}) | i hope (?:this|the|my) {TEXTS} |
    is there anything (?:else|specific|in particular) |
    (?:please )?feel free to (?:ask|let me|share) |
    if you (?:need|want|would like|'d like|have) [^.!?\n]{{0,40}}(?:{TEXTS}|questions|details?) |
    (?:can|could) you (?:please )?(?:tell|give|provide) me (?:more|with more|some)
""")
"""What a model says to a user it talks with."""
STARTS = (
    *thinking_aloud.STARTS,
    # A model that talks with the user.
    rf"{GREETING}{OFFERS}(?!\w)",
    # The instruction itself.
    r"(?:in|with|using) (?:\d+|\w+) (?:tokens|words) or (?:fewer|less)\b",
    r"assistant (?:an?|the|this|there|two|three|several)\b",
    r"(?:system|user) (?:you are|describe|what|please|caption|write|generate|provide)\b",
    r"(?:(?:please|could you|can you) )?(?:describe|caption|summari[sz]e|explain) "
    r"(?:the|this|what|these|in|it)\b",
    r"(?:(?:please|could you|can you) )?(?:write|generate|provide|give|create) (?:me )?"
    rf"(?:a|an|the|one)\b.{{0,40}}\b{TEXTS}\b",
    r"what (?:is|are|do you see|can you see|does) "
    r"(?:in |on |happening|shown|(?:the|this) (?:image|picture|photo))",
    r"(?:you are|you're) an? (?:helpful|ai|expert|assistant|professional|image)\b",
    r"a chat between a curious|below is an instruction",
    r"def \w{1,40}\(|print\(|from [\w.]{1,40} import \w|import \w[\w.]{0,40}(?: as \w{1,20})?\s*\n",
    r"(?:caption|cap|answer|describe|ocr) (?:en|de|fr|es|zh|ja|ko|ru|pt)\b",  # PaliGemma's
    # A token that some models write by mistake.
    r"addcriterion\b",
)
"""Patterns of the beginning of a text in lower case."""
MARK = re.compile("|".join(MARKS))
LINE = re.compile(rf"(?:^|\n|[.!?>\]*]\s|\*\*)\s{{0,20}}(?:{'|'.join(LINES)})")
ANYWHERE = re.compile(
    r"\b(?:USER|ASSISTANT|HUMAN|GPT|SYSTEM|Human(?!\s*:\s*(?:an?|the)\b)|Assistant|User)\s*:"
    r"|\b(?:user|human)\s*:.{0,300}\b(?:assistant|bot)\s*:",
    re.DOTALL,
)
"""Labels of roles that are leaks within a sentence, too."""
START = re.compile(rf"\W*(?:{'|'.join(STARTS)})")
SIGNS = re.compile(
    r"[<>\[\](){}#`\\:\n=&*?%\u2026\u27e8\u3008\u25c1\u0120\u010a\u2581\uff5c_"
    r"\u00c2\u00c3\u00d0\u00d1\u00e2\u3010\ufffd]"
)
"""A sign without which no mark and no label stands in a text."""
ASCII_SIGNS = b"<>[](){}#`\\:\n=&*?%_"
SIGN_BYTES = np.isin(np.arange(256), list(ASCII_SIGNS)) | (np.arange(256) >= 128)
"""True for the bytes of UTF-8 that may be of such a sign; those outside of ASCII are not told
apart."""
NO_SIGNS = bytes(set(range(128)) - set(ASCII_SIGNS))
"""The characters of ASCII that are no such sign."""
MIN_PROMPT = 8
"""Characters; a shorter prompt is not searched, because it may stand in a caption by chance."""


def begins_with_leak(raw: str, head: str) -> bool:
    """Return True if a raw caption with this head (`head_of`) begins with a leak."""
    text = raw.lstrip()
    return bool(START.match(head) or LINE.match(text) or MARK.match(text))


def has_sign(raw: str) -> bool:
    """Return True if a text has one of `SIGNS`."""
    if raw.isascii():  # several times faster than the pattern
        return bool(raw.encode().translate(None, NO_SIGNS))
    return SIGNS.search(raw) is not None


def is_leak(raw: str, head: str, prompts: Sequence[str]) -> bool:
    """Return True if a raw caption with this head (`head_of`) holds a leak, or a model's prompt."""
    if has_sign(raw) and (
        MARK.search(raw) is not None
        or LINE.search(raw) is not None
        or ANYWHERE.search(raw) is not None
    ):
        return True
    if START.match(head) is not None:
        return True
    return any([prompt in raw for prompt in prompts])
