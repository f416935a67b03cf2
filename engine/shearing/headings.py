"""Reasoning in plain text, which headings or labels tell from the answer behind it.

Such as "Thought: ... Caption: A dog", each in a line of its own, and "... Final answer: A dog".
"""

from __future__ import annotations

import re

from engine.shearing.phrases import any_of

HEAD = 80
"""Characters of a text in which its first heading or label ends."""
VERBS = any_of("""
    analy[sz]ing | assessing | composing | considering | crafting | describing | drafting |
    evaluating | examining | formulating | generating | identifying | interpreting | observing |
    refining | reviewing | summari[sz]ing | understanding
""")
TASK_NOUNS = any_of("""
    image | picture | photo | photograph | scene | visual | prompt | request | task | caption |
    description | response | answer | details | elements | content | composition
""")
REASONING = any_of(rf"""
    (?:my )?(?:reasoning|thinking|thoughts?)(?: process)? | (?:image |scene |visual )?analysis |
    rationale | observations? | drafts?(?: \d)? | (?:key|main) (?:elements?|details|subject) |
    chain[ -]of[ -]thought | scratchpad | internal monologue | step[ -]by[ -]step(?: \w+)? |
    {VERBS} (?:[\w-]+ ){{0,4}}{TASK_NOUNS} | 思考(?:过程)? | 推理 | 分析
""")
"""What a heading or a label of reasoning says."""
ANSWERS = any_of(
    "caption | answer | response | output | description | title | conclusion | alt text"
)
SIGNS_BEFORE, SIGNS_BEHIND = r"(?:#{1,6}\s+)?[*_\[]{0,3}", r"[*_\]]{0,3}"
"""Signs of Markdown around a heading or a label."""
ENDS = rf"{SIGNS_BEHIND}[^\S\n]*(?:[:\uff1a]{SIGNS_BEHIND}|\n)\s*"
"""What ends a heading, which is a line, or a label."""
HEADING = rf"(?:#{{1,6}}\s+[*_]*|[*_]{{2,3}}){REASONING}[*_:]*[^\S\n]*\n"
"""A line of its own in Markdown that says that reasoning follows."""
TIMED = re.compile(r"\s*[*_]*Thought for [^\n.]{1,30}[*_]*\n\s*")
"""What applications write in the place of reasoning: "Thought for 4 seconds"."""
OPENING = re.compile(rf"\s*{SIGNS_BEFORE}{REASONING}(?:{ENDS}|\.\.\.\s)", re.IGNORECASE)
"""A heading or a label of reasoning at the beginning of a text. "Thinking..." is Ollama's."""
ANSWER = re.compile(
    rf"\n[^\S\n]*{SIGNS_BEFORE}(?:(?:short|image|suggested|my|the|proposed) )*"
    rf"(?:{ANSWERS}|答案|标题|描述){ENDS}|\.\.\.done thinking\.?\s*",
    re.IGNORECASE,
)
"""The heading or the label of an answer behind it."""
FINAL_ANSWER = re.compile(
    rf"(?:\n|[.!?][*_]*\s)[^\S\n]*{SIGNS_BEFORE}(?:the |my )?final {ANSWERS}(?: is)?{ENDS}",
    re.IGNORECASE,
)
"""The same of a final answer, which tells by itself that reasoning stands before it."""


def behind_reasoning(text: str) -> str:
    """Return the answer in a text with headings or labels of reasoning and of the answer.

    The same object if the text has none, as most have, which is told quickly.
    """
    if "inal " in text or "INAL " in text:
        ends = [final.end() for final in FINAL_ANSWER.finditer(text)]
        if ends:
            return text[ends[-1] :]
    head = text[:HEAD]
    if not ("\n" in head or ":" in head or "\uff1a" in head or "..." in head):
        return text
    timed = TIMED.match(text)
    if timed is not None:
        return text[timed.end() :]
    opening = OPENING.match(text)
    answer = ANSWER.search(text, opening.end() - 1) if opening else None
    return text if answer is None else text[answer.end() :]


def opens_with_reasoning(text: str) -> bool:
    """Return True if a text that goes on is within reasoning that a heading or a label opened."""
    return OPENING.match(text) is not None and behind_reasoning(text) is text
