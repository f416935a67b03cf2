"""Models of `hf` that reason before they answer: the prompt may hold the opening tag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.captioners.base import Caption
from engine.captioners.families.hf.captioner import HuggingFaceCaptioner
from engine.captioners.generation.generate import (
    GenerationRequest,
    StopAtSentence,
    reasoning_tags,
    to_caption,
)
from engine.captioners.model_choice import choose
from engine.captioners.registry import FAMILIES, Settings
from engine.images.image import ImageProblem, open_image
from tests.engine.captioners.families.hf_truth import qwen_like
from tests.engine.captioners.families.hf_truth.making import tokens, write
from tests.support.pictures import draw_picture

pytestmark = pytest.mark.usefixtures("templates_in_this_process")

TAGS = ("<think>", "</think>")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose template opens reasoning in the prompt, unless it is told not to."""
    return write(qwen_like.qwen3_5(), tmp_path_factory.mktemp("checkpoints") / "qwen3_5")


@pytest.fixture
def load(checkpoint: Path) -> Callable[..., HuggingFaceCaptioner]:
    def loaded(**changes: str) -> HuggingFaceCaptioner:
        choice = choose(f"m=hf:{checkpoint}", changes=changes)
        captioner = FAMILIES["hf"].load(choice.checkpoint, Settings.of(choice.settings), "cpu")
        assert isinstance(captioner, HuggingFaceCaptioner)
        return captioner

    return loaded


def answer(captioner: Any, folder: Path) -> Caption | ImageProblem:
    draw_picture(folder / "a.png", 3)
    (found,) = captioner.answer_each([captioner.prepare(open_image(str(folder / "a.png")))], [0])
    return found


def test_thinking_is_off_in_the_settings_that_a_model_begins_with(
    load: Callable[..., HuggingFaceCaptioner], tmp_path: Path
) -> None:
    captioner = load()
    assert not captioner.opens_reasoning
    assert captioner.questions[0].text.endswith("</think>\n\n")
    assert isinstance(answer(captioner, tmp_path), Caption)


def test_what_never_leaves_the_reasoning_of_the_prompt_is_no_caption(
    load: Callable[..., HuggingFaceCaptioner], tmp_path: Path
) -> None:
    """It has no tag of its own. It is asked for again with as many tokens as there is room for."""
    captioner = load(**{"template.enable_thinking": "true", "max_new_tokens": "3"})
    assert captioner.opens_reasoning
    caps = []
    own = captioner.caption_batch

    def counted(rows: Any, record_ids: Any, settings: Settings) -> list[Caption]:
        caps.append(settings.max_new_tokens)
        return own(rows, record_ids, replace(settings, max_new_tokens=3))

    captioner.caption_batch = counted  # type: ignore[method-assign]
    found = answer(captioner, tmp_path)
    assert isinstance(found, ImageProblem)
    assert (found.kind, found.detail.startswith("reasoning without an answer")) == (
        "no_caption",
        True,
    )
    positions = captioner.model.config.get_text_config().max_position_embeddings
    assert caps[0] == 3 and 3 < caps[1] < positions


def request(tokenizer: Any, opened: bool = False, **settings: Any) -> GenerationRequest:
    return GenerationRequest(
        settings=Settings(**settings),
        record_ids=[0],
        family_name="hf",
        stop_ids=[tokenizer.eos_token_id],
        pad_id=tokenizer.pad_token_id,
        tokenizer=tokenizer,
        opens_reasoning=opened,
        reasoning_tags=reasoning_tags(tokenizer),
    )


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A tokenizer to which the tags of reasoning are special tokens."""
    return tokens(*TAGS, eos="<|im_end|>", pad="<|endoftext|>")


def test_tags_of_reasoning_stay_in_the_text_although_they_are_special(tokenizer: Any) -> None:
    assert set(reasoning_tags(tokenizer).values()) == set(TAGS)
    text = "<think>a dog</think>a red bus"
    ids = tokenizer(text, add_special_tokens=False).input_ids
    caption = to_caption([*ids, tokenizer.eos_token_id], tokenizer, request(tokenizer))
    assert caption.raw.replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "opened", "ends"),
    [
        ("a dog. a bus is", False, True),
        ("a dog. a bus is", True, False),
        ("a dog. a</think>a bus", True, False),
        ("a dog</think>a bus is red. a dog is", True, True),
        ("<think>a dog. a bus is", False, False),
    ],
)
def test_no_sentence_of_the_reasoning_ends_a_caption(
    tokenizer: Any, text: str, opened: bool, ends: bool
) -> None:
    ids = tokenizer(text, add_special_tokens=False).input_ids
    asked = request(tokenizer, opened, stop_at_sentence=True)
    stop = StopAtSentence(asked, 0)
    assert stop(torch.tensor([ids]), torch.zeros(1, 1)).tolist() == [ends]  # type: ignore[arg-type]
    assert to_caption(ids, tokenizer, asked).finish == ("stop" if ends else "length")
