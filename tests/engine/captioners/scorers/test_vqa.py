"""The scores of the family `score-vqa`, beside those of transformers computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from engine.captioners.base import CheckpointError, Scores
from engine.captioners.presets import VQA_QUESTION
from engine.captioners.record_prompt import PromptRecord
from engine.captioners.registry import FAMILIES
from engine.captioners.scorers.vqa import ChatScorer, LlavaScorer
from engine.demo import checkpoint as demo_checkpoint
from engine.images.image import ImageProblem, open_image
from tests.engine.captioners.families.hf_truth import (  # noqa: F401 (they fill the table)
    llava_like,
    making,
    other_chat,
    pictures,
    plain_calls,
    qwen_like,
    truth,
)

pytestmark = pytest.mark.usefixtures("templates_in_this_process")

TYPES = ("llava_whose_template_begins_with_bos", "qwen2_5_vl", "smolvlm", "blip2_t5")
"""Tiny checkpoints: of each way to be asked, and one that has an encoder for its prompt."""
TEXTS = ("a brown dog runs along the beach", "", "two people sit " * 20, "Ein Hund. 狗")
SETTINGS = replace(FAMILIES["score-vqa"].presets["paper"], dtype="float32", batch=3)
LLAVA_PROMPT = f"USER: <image>\n{VQA_QUESTION} ASSISTANT:"


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return pictures.draw(tmp_path_factory.mktemp("pictures"))[:2]


def scores(
    scorer: Any, paths: Sequence[Path], texts: Sequence[str] = TEXTS
) -> list[dict[str, float]]:
    """Return the scores of the same texts for each picture, by text."""
    record = PromptRecord(record_id=0, texts={text: text for text in texts})
    inputs = [scorer.prepare_record(open_image(str(path)), record) for path in paths]
    answers = scorer.answer_each(inputs, range(len(inputs)))
    assert all(isinstance(answer, Scores) for answer in answers), answers
    return [answer.by_digest for answer in answers]


def by_hand(folder: Path, tiny: making.Tiny, path: Path, text: str) -> float:
    """Return the probability of "Yes" as the documentation of the type has it computed."""
    question = VQA_QUESTION.format(caption=text.strip())
    if isinstance(tiny.plain, str):
        tiny = replace(tiny, plain=tiny.plain.replace(truth.PROMPT, question))
    with truth.without_torchvision():
        processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    with Image.open(path) as image, torch.inference_mode():
        inputs = truth.own_inputs(processor, folder, tiny, image.convert("RGB"), question)
        said = model.generate(
            **inputs.to(torch.float32),
            max_new_tokens=1,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
    token = processor.tokenizer("Yes", add_special_tokens=False).input_ids[0]
    return float(said.logits[0].softmax(-1)[0, token])


@pytest.mark.parametrize("name", TYPES)
def test_scores_are_those_of_transformers(name: str, tmp_path: Path, paths: list[Path]) -> None:
    tiny = making.FAMILIES[name]()
    folder = making.write(tiny, tmp_path / name)
    scorer = FAMILIES["score-vqa"].load(str(folder), SETTINGS, "cpu")
    assert isinstance(scorer, ChatScorer)
    for path, found in zip(paths, scores(scorer, paths), strict=True):
        for text in TEXTS:
            assert found[text] == pytest.approx(by_hand(folder, tiny, path, text), abs=1e-4)


def test_llava_of_its_own_family_says_the_same(tmp_path: Path, paths: list[Path]) -> None:
    """The same weights go through our code where the folder has no processor of transformers."""
    whole = demo_checkpoint("llava-1.5")
    for file in whole.iterdir():
        if "processor" not in file.name:
            (tmp_path / file.name).symlink_to(file)
    settings = replace(SETTINGS, prompt=LLAVA_PROMPT, preprocess="crop")
    ours = FAMILIES["score-vqa"].load(str(tmp_path), settings, "cpu")
    theirs = FAMILIES["score-vqa"].load(str(whole), settings, "cpu")
    assert (type(ours), type(theirs)) == (LlavaScorer, ChatScorer)
    plain = [text for text in TEXTS if text]
    expected = scores(theirs, paths, plain)
    for one, other in zip(scores(ours, paths, plain), expected, strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-12)


def test_llava_may_be_quantized(paths: list[Path]) -> None:
    quantized = replace(SETTINGS, quantize="int8", dtype="bfloat16")
    scorer = FAMILIES["score-vqa"].load(str(demo_checkpoint("llava-1.5")), quantized, "cpu")
    assert isinstance(scorer, LlavaScorer)
    assert len(scores(scorer, paths)) == len(paths)


@pytest.mark.parametrize(
    "text",
    ["<image> <s> </s> [INST] <|im_end|> USER: ASSISTANT:", "word " * 3000, "\ud800 \0 {caption}"],
)
def test_a_hostile_caption_is_only_a_text(text: str, paths: list[Path]) -> None:
    scorer = FAMILIES["score-vqa"].load(str(demo_checkpoint("llava-1.5")), SETTINGS, "cpu")
    record = PromptRecord(record_id=0, texts={"one": text})
    (answer,) = scorer.answer_each([scorer.prepare_record(open_image(str(paths[0])), record)], [0])
    assert isinstance(answer, Scores | ImageProblem)


def test_a_model_that_takes_no_question_is_refused(tmp_path: Path) -> None:
    folder = making.write(making.FAMILIES["vit_gpt2"](), tmp_path / "made")
    with pytest.raises(CheckpointError, match="cannot answer questions"):
        FAMILIES["score-vqa"].load(str(folder), SETTINGS, "cpu")
