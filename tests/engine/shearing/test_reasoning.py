"""The answer in a raw caption: without reasoning and without chat tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.rows import SHEAR_MODES
from engine.shearing.reasoning import TAG, answer_of, is_reasoning
from engine.shearing.sentences import all_sentences, first_sentence_complete
from engine.shearing.shear import Shearing, make_shearer, shear

ANSWERS = (
    # Reasoning: whole, without its opening, cut, empty, twice, behind the answer, in other tags.
    ("<think>It is a dog. I say so.</think>A dog runs", "A dog runs"),
    ("<think>\nA dog.\n</think>\n\nA dog runs", "A dog runs"),
    ("It is a dog. I say so.</think>\nA dog runs", "A dog runs"),
    ("<think>It is a dog. I say", ""),
    ("It is a dog.</think>", ""),
    ("<think></think>A dog runs", "A dog runs"),
    ("<think>a</think>no <think>b</think>", "no"),
    ("<think>a<think>b</think>c</think>A dog runs", "A dog runs"),
    ("A dog runs<think>or a cat?</think>", "A dog runs"),
    ("A dog runs <think>or a", "A dog runs"),
    ("<THINK>a</THINK>A dog runs", "A dog runs"),
    ("<thinking>a</thinking>A dog runs", "A dog runs"),
    ("<reasoning>a</reasoning><answer>A dog runs</answer>", "A dog runs"),
    ("<seed:think>a</seed:think>A dog runs", "A dog runs"),
    ("<think >It is a dog. I say so.</think >A dog runs", "A dog runs"),
    ("It is a dog.</think\n>A dog runs", "A dog runs"),
    ("<thought >a dog", ""),
    ("<|thinking|>It is a dog.<|/thinking|>A dog runs", "A dog runs"),
    ("<|think|>a dog<|end_of_think|>A dog runs", "A dog runs"),
    ("<|begin_of_reasoning|>a dog.<|end_of_reasoning|>A dog runs", "A dog runs"),
    ("It is a dog.<|end_thinking|>A dog runs", "A dog runs"),
    ("&lt;think&gt;It is a dog. I say so.&lt;/think&gt;A dog runs", "A dog runs"),
    ("&lt;Reasoning &gt;a dog", ""),
    ("It is a dog.&lt;/think&gt;\n\nA dog runs", "A dog runs"),
    ("◁think▷a◁/think▷A dog runs", "A dog runs"),
    ("[THINK]a[/THINK]A dog runs", "A dog runs"),
    ("<think>a</think><|begin_of_box|>A dog runs<|end_of_box|>", "A dog runs"),
    (
        "<|channel|>analysis<|message|>a dog.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>A dog runs",
        "A dog runs",
    ),
    ("<|channel|>analysis<|message|>a dog", ""),
    ("<|channel|>analysisA dog.assistant<|channel|>finalA dog runs", "A dog runs"),
    ("analysisWe need a caption. A dog.assistantfinalA dog runs", "A dog runs"),
    ("<|channel>thought\na dog.<channel|>A dog runs<turn|>", "A dog runs"),
    ("<|channel>thought\n<channel|>A dog runs", "A dog runs"),
    ("thought\na dog.<channel|>A dog runs", "A dog runs"),
    ("<|channel>thought\na dog", ""),
    ("<|turn>model\nA dog runs<turn|>\n<|turn>user\nAnd?", "A dog runs"),
    ("<unused94>thought\na dog.<unused95>A dog runs", "A dog runs"),
    (
        "<|START_THINKING|>a dog.<|END_THINKING|><|START_RESPONSE|>A dog runs<|END_RESPONSE|>",
        "A dog runs",
    ),
    ("<|begin_of_thought|>a dog.<|end_of_thought|>A dog runs", "A dog runs"),
    ("<mm:think>a dog.</mm:think>A dog runs", "A dog runs"),
    ("<analysis>It is easy.</analysis>A dog runs", "A dog runs"),
    (
        "<SUMMARY>I look.</SUMMARY><CAPTION>A dog.</CAPTION><REASONING>It runs.</REASONING>"
        "<CONCLUSION>A dog runs</CONCLUSION>",
        "A dog runs",
    ),
    # An answer whose reasoning a server took away.
    ("\n<answer>A dog runs</answer>", "A dog runs"),
    # Chat tokens.
    ("A dog runs<|im_end|>", "A dog runs"),
    ("<|im_start|>assistant\nA dog runs<|im_end|>\n<|im_start|>user\nAnd?", "A dog runs"),
    ("<s> A dog runs</s>", "A dog runs"),
    ("A dog runs<|eot_id|><|start_header_id|>user<|end_header_id|>", "A dog runs"),
    ("<start_of_turn>model\nA dog runs<end_of_turn>", "A dog runs"),
    ("[/INST] A dog runs", "A dog runs"),
    # The role without its tokens, in others, and the places of images.
    ("assistant\n\nA dog runs", "A dog runs"),
    ("Assistant\nassistant\nA dog runs", "A dog runs"),
    ("model\nA dog runs<end_of_turn>", "A dog runs"),
    ("<|eot_id|>assistant<|eot_id|>A dog runs", "A dog runs"),
    ("<|start_of_role|>assistant<|end_of_role|>A dog runs<|end_of_text|>", "A dog runs"),
    ("<think>a</think>assistant\n\nA dog runs", "A dog runs"),
    ("<img></img>\nA dog runs", "A dog runs"),
    ("<Image><ImageHere></Image> A dog runs", "A dog runs"),
    ("A dog <unk><unk> runs<unk>, and<unk>barks", "A dog runs, and barks"),
    # A question before the answer.
    ("[INST] What is it? [/INST] A dog runs", "A dog runs"),
    ("<s>[INST] <<SYS>> Be brief. <</SYS>> What? [/INST] A dog runs</s>", "A dog runs"),
    ("[INST] What? [/INST] A dog runs [INST] And? [/INST] A cat", "A dog runs"),
    ("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat?<|im_end|>\n"
     "<|im_start|>assistant\nA dog runs<|im_end|>", "A dog runs"),
    ("<|start_header_id|>user<|end_header_id|>\n\nWhat?<|eot_id|>"
     "<|start_header_id|>assistant<|end_header_id|>\n\nA dog runs<|eot_id|>", "A dog runs"),
    ("<start_of_turn>user\nWhat?<end_of_turn>\n<start_of_turn>model\nA dog runs", "A dog runs"),
    ("<|user|>\nWhat?<|end|>\n<|assistant|>\nA dog runs<|end|>", "A dog runs"),
    ("[INST] A dog runs [/INST]", "A dog runs"),
    ("A dog runs [INST] And? [/INST]", "A dog runs"),
    ("<\uff5cend\u2581of\u2581sentence\uff5c>A dog runs", "A dog runs"),
    ("<|im_end|>", ""),
    # Nothing to cut.
    ("A dog runs", "A dog runs"),
    (" A dog [left] <3 runs ", " A dog [left] <3 runs "),
    ("I think a dog runs", "I think a dog runs"),
    ("A card <thank you> with a dog &lt;3", "A card <thank you> with a dog &lt;3"),
    ("a graph with a < think b", "a graph with a < think b"),
    ("Assistant A dog runs", "Assistant A dog runs"),
    ("A form with <image> in it", "A form with <image> in it"),
    ("", ""),
)  # fmt: skip


@pytest.mark.parametrize(("raw", "answer"), ANSWERS)
def test_the_answer_in_a_raw_caption(raw: str, answer: str) -> None:
    assert answer_of(raw) == answer


SPECIAL_TAGS = (
    *("<|channel>", "<channel|>", "<|channel|>"),
    *("<|START_THINKING|>", "<|END_THINKING|>", "<unused94>", "<unused95>"),
)


@pytest.mark.parametrize("token", SPECIAL_TAGS)
def test_a_special_token_that_is_a_tag_is_one_by_itself(token: str) -> None:
    """So that decoding keeps it in the raw caption."""
    assert TAG.fullmatch(token) is not None


@pytest.mark.parametrize("mode", SHEAR_MODES)
@pytest.mark.parametrize(("raw", "answer"), ANSWERS)
def test_shearing_keeps_the_answer_alone(mode: str, raw: str, answer: str) -> None:
    shearing = Shearing(mode)  # type: ignore[arg-type]
    sheared = shear(raw, "hf", shearing)
    assert sheared.text == answer.strip() == make_shearer("hf", shearing)(raw, "stop")
    if sheared.start is not None:
        assert raw[sheared.start : sheared.end] == sheared.text


def test_sentences_are_those_of_the_answer() -> None:
    assert all_sentences("<think>One. Two.</think>A dog. A cat.") == ["A dog.", "A cat."]


@pytest.mark.parametrize(
    ("raw", "complete"),
    [
        ("<think>One. Two three", False),
        ("<think>One. Two.</think>A dog", False),
        ("<think>One. Two.</think>A dog. It is", True),
    ],
)
def test_no_caption_ends_within_its_reasoning(raw: str, complete: bool) -> None:
    assert first_sentence_complete(raw) == complete
    assert is_reasoning(raw) == ("</think>" not in raw)


PIECES = st.sampled_from(
    ("<think>", "</think>", "[THINK]", "a dog. ", "<|im_end|>", "<s>", "\n", "<answer>", "<|a|>")
)


@given(st.lists(PIECES).map("".join))
def test_an_answer_has_neither_tags_nor_tokens(raw: str) -> None:
    answer = answer_of(raw)
    assert answer_of(answer) == answer
    for tag in ("<think>", "</think>", "[THINK]", "<|im_end|>", "<s>", "<|a|>"):
        assert tag not in answer


def test_a_word_in_a_line_is_no_role() -> None:
    for raw in ("Assistants\nat a desk", "Model\nof a ship", "An old\nassistant\nat a desk"):
        assert answer_of(raw) is raw


def test_a_text_of_tokens_alone_has_no_answer() -> None:
    for raw in ("assistant<|im_end|>", "<image>", "<|im_start|>assistant\n<unk>"):
        assert answer_of(raw) == "", raw


def test_many_tags_are_read_once() -> None:
    for piece in ("assistant\n", "<unk>", " <unk>", "<image> ", "\n"):
        answer_of(piece * 40_000)
    assert answer_of("<think>" * 200_000) == ""
    assert answer_of("</think>" * 200_000) == ""
