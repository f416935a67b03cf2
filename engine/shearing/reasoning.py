"""The answer in a raw caption: without a model's reasoning, and without the tokens of a chat.

The tags are those of released models that reason before they answer: DeepSeek-R1, Qwen3, GLM-4.1V,
MiMo and others (`<think>`), MiniMax-M3 (`<mm:think>`), Keye-VL (`<analysis>`), Kimi-VL (`◁think▷`),
Magistral (`[THINK]`), Seed (`<seed:think>`), Gemma 4 (`<|channel>thought`), MedGemma 1.5
(`<unused94>thought`), Cohere (`<|START_THINKING|>`), Virgo (`<|begin_of_thought|>`), LLaVA-CoT
(`<CONCLUSION>`) and gpt-oss (channels); the tokens are those of their chat templates.
"""

from __future__ import annotations

import re

from engine.shearing.headings import behind_reasoning
from engine.shearing.turns import behind_tokens
from engine.shearing.wrappers import SIGNS, unwrapped

NAMES = r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratchpad|analysis)"
NAMED = rf"(?:(?:seed|mm):)?{NAMES}\s*(?:>|&gt;)"
"""The rest of a tag that HTML may have escaped, and in which a blank may stand."""
TAG = re.compile(
    rf"(?P<end>(?:<|&lt;)/{NAMED}|\u25c1/think\u25b7|\[/{NAMES}\]|<channel\|>|<unused95>|<CONCLUSION>"
    rf"|<\|(?:/|end_(?:of_)?){NAMES}\|>"
    # gpt-oss, also as it comes without its special tokens
    r"|<\|channel\|>final(?:<\|message\|>)?|assistantfinal)"
    rf"|(?:<|&lt;){NAMED}|\u25c1think\u25b7|\[THINK\]|\A\s*\[{NAMES}\]"
    r"|<\|channel>(?:thought\b)?"
    r"|<unused94>(?:thought\b)?"
    rf"|<\|(?:(?:start|begin)_(?:of_)?)?{NAMES}\|>|<\|channel\|>(?:analysis|commentary|\Z)",
    re.IGNORECASE,
)
"""A tag at which reasoning begins, or the group `end`, at which it ends."""
ANSWER_TAG = re.compile(r"</CONCLUSION>|<\|(?:begin|end)_of_box\|>")
"""A tag around an answer that follows on reasoning, other than those of `wrappers.py`."""
TOKEN = re.compile(
    r"<\|im_start\|>(?:\s*(?:assistant|user|system)\b)?"
    r"|<\|start_header_id\|>\w*<\|end_header_id\|>|<start_of_turn>(?:\s*model\b)?"
    r"|<\|start_of_role\|>\w*<\|end_of_role\|>"
    r"|<\|turn>(?:\s*model\b)?|<turn\|>"
    r"|<[|\uff5c][^<>|\uff5c\s]{1,40}[|\uff5c]>|<(?:end_of_turn|end_of_utterance|s|bos|eos|pad|eoa|eoh)>"
    r"|\[\|[a-z]{1,20}\|\]"
    r"|</s>|\[/?INST\]|<</?SYS>>"
)
"""A chat token, with the role that follows it."""
UNKNOWN, MARK_APART = "<unk>", re.compile(r" (?=[.,;:!?])")
"""The token of a word that a model does not know, behind which the answer goes on, and a blank that
it leaves before a mark."""
IMAGE_TOKENS = re.compile(r"(?:\s*</?(?:image|img|imagehere)>)+\s*", re.IGNORECASE)
"""The places of images in a prompt, which a model repeats before its answer."""
ROLE = re.compile(r"(?:\s*(?:[Aa]ssistant|ASSISTANT|model)[^\S\n]*\n)+\s*(?=\S)")
"""The role in a line of its own that chat templates write before an answer, without its tokens."""
BARE_ROLE = "assistant"
"""What is no answer between two tokens."""


def answer_of(raw: str) -> str:
    """Return the answer in a raw caption: an empty text if that is reasoning alone.

    Reasoning may lack its opening tag, which many templates put into the prompt, and its closing
    tag, if the cap on new tokens ended it. The answer then has no chat tokens, and ends before one
    that follows on a word. A question that tokens mark as the user's is no part of it, nor is
    reasoning under a heading, nor the role in a line before it, nor what the answer is wrapped in.
    """
    answer = raw
    # Searching for single signs is several times faster than the patterns.
    if "<" in raw or "[" in raw or "\u25c1" in raw or "assistantf" in raw or "&lt;" in raw:
        answer = behind_tags(raw)
    if "\n" in answer or "inal " in answer:
        answer = behind_reasoning(answer)
        role = ROLE.match(answer)
        answer = answer if role is None else answer[role.end() :]
    return unwrapped(answer) if answer.lstrip()[:1] in SIGNS or "</" in answer else answer


def behind_tags(raw: str) -> str:
    """Return the answer in a raw caption with tags of reasoning or chat tokens."""
    answer = without_reasoning(raw)
    if answer is not raw:
        answer = ANSWER_TAG.sub("", answer).strip()
    if UNKNOWN in answer:
        known = filter(None, map(str.strip, answer.split(UNKNOWN)))
        answer = MARK_APART.sub("", " ".join(known))
    if TOKEN.search(answer) is not None:
        answer = behind_tokens(answer)
        pieces = map(str.strip, TOKEN.split(answer))
        answer = next((piece for piece in pieces if piece and piece != BARE_ROLE), "")
    tokens = IMAGE_TOKENS.match(answer)
    return answer if tokens is None else answer[tokens.end() :]


def without_reasoning(raw: str) -> str:
    """Return a raw caption without its reasoning; the same object if it has none."""
    kept: list[str] = []
    start, inside, tag = 0, False, None
    for tag in TAG.finditer(raw):
        if tag["end"]:
            if not inside:  # what stands before was reasoning without its opening tag
                kept.clear()
            inside, start = False, tag.end()
        elif not inside:
            kept.append(raw[start : tag.start()])
            inside, start = True, tag.end()
    if tag is None:
        return raw
    if not inside:
        kept.append(raw[start:])
    return "".join(kept)


def has_reasoning(raw: str) -> bool:
    """Return True if shearing cuts reasoning from a raw caption."""
    return TAG.search(raw) is not None or behind_reasoning(raw) is not raw


def is_reasoning(raw: str, opened: bool = False) -> bool:
    """Return True if a text that goes on is within its reasoning now.

    `opened` is True if reasoning began before the text, as where the prompt has its opening tag.
    """
    inside = opened
    for tag in TAG.finditer(raw):
        inside = not tag["end"]
    return inside


def opens_reasoning(prompt: str) -> bool:
    """Return True if a prompt ends with the tag at which reasoning begins."""
    text = prompt.rstrip()
    return any(tag.end() == len(text) and not tag["end"] for tag in TAG.finditer(text))
