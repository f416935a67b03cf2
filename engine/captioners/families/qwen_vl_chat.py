"""Qwen-VL-Chat (Bai et al., arXiv 2308.12966): Qwen-VL's architecture, tuned to answer in ChatML.

Its conversation is that of `make_context` in the checkpoint's own `qwen_generation_utils.py`, with
the image as `from_list_format` of its tokenizer writes it; the answer ends as `get_stop_words_ids`
has it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.captioners.families.qwen_tokenizer import END_OF_TEXT, TURN_END, TURN_START
from engine.captioners.families.qwen_vl import QwenVLCaptioner, load_captioner
from engine.captioners.settings import Settings


class QwenVLChatCaptioner(QwenVLCaptioner):
    """Captions with Qwen-VL-Chat."""

    name = "qwen-vl-chat"
    chat = True
    stop_tokens = (TURN_END, TURN_START, END_OF_TEXT)


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> QwenVLCaptioner:
    """Return the captioner of a checkpoint folder. Raises `CheckpointError`."""
    return load_captioner(QwenVLChatCaptioner, Path(checkpoint or ""), settings, device, report)
