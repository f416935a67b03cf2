"""Threads that ask the processor of `hf` at once, and the tokens that are made once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.captioners.config_files import read_json
from engine.captioners.families.hf import thread_trial
from engine.captioners.families.hf.processors import load_processor
from engine.captioners.families.hf.question import Question, make_question
from engine.captioners.families.hf.thread_trial import same_inputs, share_processor
from engine.captioners.families.hf.trial import draw_pictures, try_processor
from tests.engine.captioners.families.hf_truth import llava_like, qwen_like
from tests.engine.captioners.families.hf_truth.making import write
from tests.support.waiting import TIMEOUT_SECONDS

pytestmark = pytest.mark.usefixtures("templates_in_this_process")


@pytest.fixture(params=[llava_like.llava, qwen_like.qwen2_5_vl], ids=lambda it: it.__name__)
def question(request: pytest.FixtureRequest, tmp_path: Path) -> Question:
    folder = write(request.param(), tmp_path / "tiny")
    return make_question(load_processor(folder, folder), read_json(folder / "config.json"), "Say")


def change_pictures(question: Question, change: Callable[[Any], Any]) -> None:
    """Have the image processor call a function with its result."""
    own: Any = type(question.processor.image_processor)

    class Changed(own):  # type: ignore[misc]
        def __call__(self, *images: Any, **options: Any) -> Any:
            return change(super().__call__(*images, **options))

    question.processor.image_processor.__class__ = Changed


def test_pictures_are_processed_at_the_same_time(question: Question) -> None:
    assert share_processor([question], try_processor(question))
    both = threading.Barrier(2, timeout=TIMEOUT_SECONDS)

    def meet(result: Any) -> Any:
        both.wait()
        return result

    change_pictures(question, meet)
    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(question.inputs, draw_pictures()))) == 2


def test_tokens_are_made_once_and_belong_to_each_caller(question: Question) -> None:
    tokenizer = question.processor.tokenizer
    made = []
    encode = tokenizer._encode_plus

    def counted(*texts: Any, **options: Any) -> Any:
        made.append(texts)
        return encode(*texts, **options)

    tokenizer._encode_plus = counted
    rows = try_processor(question)
    assert share_processor([question], rows)
    made.clear()
    again = question.inputs(draw_pictures()[0])
    assert same_inputs(again, rows[0])
    assert not made
    again["input_ids"][:] = 0
    assert same_inputs(question.inputs(draw_pictures()[0]), rows[0])
    listed = tokenizer("one text")
    listed["input_ids"].append(7)
    assert tokenizer("one text")["input_ids"] == listed["input_ids"][:-1]


def test_only_the_last_texts_are_kept(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_trial, "KEPT_TEXTS", 2)
    tokenizer = question.processor.tokenizer
    expected = [tokenizer(str(it))["input_ids"] for it in range(5)]
    assert share_processor([question], try_processor(question))
    for _ in range(2):
        assert [tokenizer(str(it))["input_ids"] for it in range(5)] == expected


def test_a_processor_that_changes_itself_is_asked_by_one_thread_at_a_time(
    question: Question,
) -> None:
    rows = try_processor(question)

    def count(result: Any) -> Any:
        images = question.processor.image_processor
        images.calls = getattr(images, "calls", 0) + 1
        return result

    change_pictures(question, count)
    assert not share_processor([question], rows)
    assert isinstance(question.lock, type(threading.Lock()))


def test_a_processor_that_says_something_else_in_threads(question: Question) -> None:
    rows = try_processor(question)

    def blacken(result: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            result["pixel_values"] = torch.zeros_like(torch.as_tensor(result["pixel_values"]))
        return result

    change_pictures(question, blacken)
    assert not share_processor([question], rows)
