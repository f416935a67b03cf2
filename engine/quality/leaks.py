"""Leaks: parts of a prompt, a chat template, a model's reasoning or a data format in a caption.

The tokens are those of the tokenizers and chat templates of released models: ChatML (Qwen,
InternVL), Llama 2 to 4, Mistral, Gemma, Phi, DeepSeek, Kimi, GLM, gpt-oss, Vicuna, Otter and
MiniGPT-4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.shearing.phrases import any_of

ROLES = any_of("""
    USER | ASSISTANT | SYSTEM | HUMAN | GPT | BOT | User | Assistant | System | Human | Gpt | Bot |
    Chatbot | AI | MODEL | Model | Instruction | INSTRUCTION | Input | INPUT
""")
LABELS = any_of("""
    Reasoning | Thinking(?: [Pp]rocess)? | Thoughts? | Chain[ -]of[ -]thought | Analysis |
    Rationale | Internal monologue | Scratchpad | Thought process | Step-by-step | Question |
    QUESTION | Query | Prompt | PROMPT | Final Answer | FINAL ANSWER | Final answer | Q
""")
BRACKETED = any_of(r"""
    INST | SYS | THINK | IMG | IMG_\w+ | IMAGE | image | BOS | EOS | PAD | UNK | SEP | CLS | MASK |
    gMASK | TOOL_CALLS | AVAILABLE_TOOLS | END | UNUSED_TOKEN_\d+
""")
TOKEN_NAMES = any_of("""
    im_start | im_end | end_of_turn | start_of_turn | endoftext | eot_id | end_of_utterance
""")
KEYS = any_of("caption | description | image | text | answer | response | content | role | title")
MARKS = (
    # Chat tokens, tags of reasoning, HTML, tokens of pictures and boxes. <PERSON> stands for names
    # in the texts of CC12M.
    r"<[|\uff5c][^<>\n]{1,60}?[|\uff5c]?>|<\w{1,40}\|>",
    r"<</?SYS>>",
    r"</?(?!PERSON>)[A-Za-z][\w:.-]{0,40}(?:\s+\w+=[^<>\n]{0,80})?\s*/?>",
    r"<0x[0-9A-Fa-f]{2}>",
    r"<(?:think|thinking|thought|reasoning)\b",
    rf"\[/?{BRACKETED}\]",
    r"[\u25c1\u27e8\u3008]/?\w+[\u25b7\u27e9\u3009]",
    rf"{TOKEN_NAMES}\b",
    r"###",
    # Pieces of byte-level and SentencePiece tokenizers that were not decoded.
    r"[\u0120\u010a]\w|\u2581\w",
    # Code fences, templates, LaTeX, JSON.
    r"```",
    r"\{\{|\}\}|\{%|%\}",
    r"\{(?:image|caption|prompt|question|text|input|description)\}",
    r"\\(?:boxed|text|begin|end|n)\b\{?",
    r"[{\[]\s*[\"'][^\"'\n]{1,300}[\"']\s*(?::|,\s*[\"']|\])",
    rf"[\"']{KEYS}[\"']\s*:",
    rf"\{{\s*{KEYS}\s*:|\b{KEYS}\s*=\s*[\"']",
    r"&(?:nbsp|lt|gt|quot|#\d+);",
    r"!\[[^\]\n]{0,200}\]\(|\]\(\S{1,300}?\)",
    r"\*\*(?:Thinking|Analy[sz]ing|Reasoning)\b",
)
"""Patterns of marks that no caption holds by itself."""
LINES = (
    rf"(?:{ROLES}|{LABELS})\s*:",
    r"(?:system|user|assistant|model|human)\s*(?::|\n)",
    r"[{\[]\s*[\"']\w",
)
"""Patterns of labels, and of JSON, at the beginning of a text, a line or a sentence."""
TASK_VERBS = any_of("""
    describe | write | generate | caption | provide | create | look | analy[sz]e | figure |
    come up | produce | think | identify | determine | focus | mention | keep | give | respond |
    output
""")
PLANS = any_of("""
    let'?s | let me | the user | i need to | i(?:'ll| will) (?:start|need|look) |
    i(?:'m| am) (?:supposed|asked|looking|going) | i should | i have to | first | looking at
""")
STARTS = (
    # Reasoning that lost its tags.
    rf"(?:okay|ok|alright|all right|hmm+|so|now|right|got it)[,.]? (?:(?:so|now) )?{PLANS}\b",
    r"(?:first|to begin|to start)[,.]? i(?:'ll| will| need| should| have)\b",
    r"(?:let'?s|let me) (?:think|see|check|break|analy[sz]e|look|start|describe|examine)\b",
    r"the user (?:wants|asks|is asking|asked|has|provided|would like|needs|uploaded|requested|sent)"
    r"\b",
    rf"(?:(?:i|we) need to|i should|i have to|my task is to|(?:i(?:'m| am)|we are) asked to|"
    rf"i(?:'ve| have) been asked to) {TASK_VERBS}\b",
    r"(?:wait|alternatively|hold on|hmm+),",
    r"so,? the caption (?:should|could|might|will|must)\b",
    r"the (?:prompt|instructions?|question|task) (?:asks?|says?|is to|wants|requires?|tells?)\b",
    r"in this task\b",
    r"i(?:'m| am) going to (?:describe|caption|write|analy[sz]e)\b",
    r"analysis(?:the|we|i|it|user|okay|need|a)\b",
    # The instruction itself.
    r"(?:(?:please|could you|can you) )?(?:describe|caption|summari[sz]e|explain) "
    r"(?:the|this|what|these|in|it)\b",
    r"(?:(?:please|could you|can you) )?(?:write|generate|provide|give|create) (?:me )?"
    r"(?:a|an|the|one)\b.{0,40}\b(?:caption|description|sentence|summary)\b",
    r"what (?:is|are|do you see|can you see|does) "
    r"(?:in |on |happening|shown|(?:the|this) (?:image|picture|photo))",
    r"(?:you are|you're) an? (?:helpful|ai|expert|assistant|professional|image)\b",
    r"a chat between a curious|below is an instruction",
)
"""Patterns of the beginning of a text in lower case."""
MARK = re.compile("|".join(MARKS))
LINE = re.compile(rf"(?:^|\n|[.!?>\]*]\s|\*\*)\s{{0,20}}(?:{'|'.join(LINES)})")
ANYWHERE = re.compile(r"\b(?:USER|ASSISTANT|HUMAN|GPT|SYSTEM|Human|Assistant|User)\s*:")
"""Labels of roles that are leaks within a sentence, too."""
START = re.compile(rf"\W*(?:{'|'.join(STARTS)})")
SIGNS = re.compile(r"[<>\[\]{}#`\\:\n=&*\u27e8\u3008\u25c1\u0120\u010a\u2581\uff5c_]")
"""A sign without which no mark and no label stands in a text."""
NO_SIGNS = bytes(set(range(128)) - set(b"<>[]{}#`\\:\n=&*_"))
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
