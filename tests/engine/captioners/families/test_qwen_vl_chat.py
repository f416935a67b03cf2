"""Qwen-VL-Chat: its conversation, and the ends of its answers."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from engine.captioners.families.qwen_tokenizer import QwenTokenizer
from engine.captioners.families.qwen_vl import QwenVLCaptioner, encode_prompt
from engine.captioners.registry import FAMILIES
from engine.images.image import open_image
from tests.support.pictures import draw_picture

CHAT = FAMILIES["qwen-vl-chat"]
PAPER = replace(CHAT.presets["paper"], dtype="float32")


def test_the_conversation_has_the_ids_of_the_official_code(checkpoints: dict[str, Path]) -> None:
    """`make_context` encodes a role, a line break and the turn's text each on its own."""
    tokenizer = QwenTokenizer(checkpoints["qwen-vl"])
    start, end = tokenizer.special["<|im_start|>"], tokenizer.special["<|im_end|>"]
    line = tokenizer.encode("\n")

    def turn(role: str, text: str) -> list[int]:
        return [start, *tokenizer.encode(role), *line, *tokenizer.encode(text), end]

    question = "Picture 1: <img></img>\nDescribe in English:"
    whole = [
        *turn("system", "You are a helpful assistant."),
        *line,
        *turn("user", question),
        *line,
        start,
        *tokenizer.encode("assistant"),
        *line,
    ]
    before, after = encode_prompt(tokenizer, PAPER.prompt)
    assert [*before, *after] == whole


def test_an_answer_ends_with_its_turn(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """As the official code has it: at either end of a turn, and at the end of the text."""
    folder = shutil.copytree(checkpoints["qwen-vl"], tmp_path / "chat")
    (folder / "generation_config.json").write_text(json.dumps({"chat_format": "chatml"}))
    captioner = CHAT.load(str(folder), PAPER, "cpu")
    assert isinstance(captioner, QwenVLCaptioner)
    special = captioner.tokenizer.special
    ends = [special[token] for token in ("<|im_end|>", "<|im_start|>", "<|endoftext|>")]
    assert sorted(captioner.stop_ids) == sorted(ends)
    draw_picture(tmp_path / "a.png", 3)
    (caption,) = captioner.caption([captioner.prepare(open_image(str(tmp_path / "a.png")))], [0])
    assert not any(token in caption.raw for token in special)
