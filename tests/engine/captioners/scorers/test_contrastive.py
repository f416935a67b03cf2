"""The scores of the family `score`, beside those of transformers computed by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoProcessor

from engine.captioners.base import Scores
from engine.captioners.record_prompt import PromptRecord
from engine.captioners.registry import FAMILIES, Settings
from engine.captioners.scorers.pictures import ProcessedPictures, Squares
from engine.images.image import ImageProblem, open_image
from tests.engine.captioners.scorers.checkpoints import LENGTH, SAVERS

TEXTS = (
    "",
    "a red disc over a blue bar",
    "A RED disc over a blue bar",
    "word " * 1000,
    "Ein Hündchen läuft. 一只狗 🐶 \u200b\n\t\0",
    "<|endoftext|> <s> [INST] </s> <image>",
    "a" * 5000,
)
SETTINGS = Settings(dtype="float32", batch=4)


@pytest.fixture(scope="module", params=SAVERS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scorer") / request.param
    SAVERS[request.param](folder)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of pictures of several sizes."""
    folder = tmp_path_factory.mktemp("pictures")
    files = []
    for number, size in enumerate([(64, 48), (31, 90), (32, 32), (200, 7)]):
        noise = torch.randint(0, 256, (size[1], size[0], 3), dtype=torch.uint8)
        Image.fromarray(noise.numpy()).save(folder / f"{number}.png")
        files.append(str(folder / f"{number}.png"))
    return files


def load(folder: Path, settings: Settings = SETTINGS) -> Any:
    return FAMILIES["score"].load(str(folder), settings, "cpu")


def ask(scorer: Any, picture: str, texts: dict[str, str]) -> Any:
    return scorer.prepare_record(open_image(picture), PromptRecord(record_id=0, texts=texts))


@cache
def model_and_processor(folder: Path) -> Any:
    """Load a checkpoint as its documentation does."""
    places: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    model = AutoModel.from_pretrained(folder, **places).eval()
    return model, AutoProcessor.from_pretrained(folder, **places)


def by_hand(folder: Path, picture: str, text: str) -> float:
    """Return the cosine as the model's documentation computes it, of one pair alone."""
    model, processor = model_and_processor(folder)
    with Image.open(picture) as image, torch.inference_mode():
        inputs = processor(
            text=[text],
            images=image,
            padding="max_length",
            truncation=True,
            max_length=LENGTH,
            return_tensors="pt",
        )
        output = model(**inputs)
    return float((output.image_embeds * output.text_embeds).sum())


def test_scores_are_those_of_transformers(checkpoint: Path, pictures: list[str]) -> None:
    scorer = load(checkpoint)
    texts = {f"{number:016x}": text for number, text in enumerate(TEXTS)}
    asked = [texts, dict(list(texts.items())[:3]), {}, dict(list(texts.items())[2:])]
    inputs = [ask(scorer, *each) for each in zip(pictures, asked, strict=True)]
    answers = scorer.answer_each(inputs, range(len(inputs)))
    seen = set()
    for answer, its_texts, picture in zip(answers, asked, pictures, strict=True):
        assert answer.by_digest.keys() == its_texts.keys()
        for digest, score in answer.by_digest.items():
            assert score == pytest.approx(by_hand(checkpoint, picture, texts[digest]), abs=1e-4)
            seen.add(round(score, 3))
    assert len(seen) > 8  # the weights tell pictures and texts apart


def test_a_score_does_not_depend_on_the_batch(checkpoint: Path, pictures: list[str]) -> None:
    scorer = load(checkpoint)
    scorer.picture_rows = scorer.text_rows = 2
    texts = {f"{number:016x}": text for number, text in enumerate(TEXTS)}
    together = scorer.score([ask(scorer, it, texts) for it in pictures])
    for picture, answer in zip(pictures, together, strict=True):
        for digest, text in texts.items():
            (alone,) = scorer.score([ask(scorer, picture, {digest: text})])
            assert alone.by_digest[digest] == pytest.approx(answer.by_digest[digest], abs=1e-5)


def test_pictures_are_prepared_the_fast_way_where_it_is_the_same(checkpoint: Path) -> None:
    expected = Squares if checkpoint.name in ("clip", "siglip") else ProcessedPictures
    assert isinstance(load(checkpoint).pictures, expected)


def test_a_picture_of_no_record_is_scored(checkpoint: Path, pictures: list[str]) -> None:
    """The probe image proves that pictures and texts go through the model."""
    scorer = load(checkpoint)
    (answer,) = scorer.answer_each([scorer.prepare(open_image(pictures[0]))], [7])
    assert isinstance(answer, Scores)
    assert len(answer.by_digest) == 1


def test_a_text_that_is_no_unicode_is_scored(checkpoint: Path, pictures: list[str]) -> None:
    scorer = load(checkpoint)
    (answer,) = scorer.score([ask(scorer, pictures[0], {"one": "a \ud800 b", "other": "a ? b"})])
    assert answer.by_digest["one"] == pytest.approx(answer.by_digest["other"])


@pytest.mark.parametrize("checkpoint", ["clip", "clip-cut-out"], indirect=True)
def test_a_thin_picture_takes_little_memory(checkpoint: Path, tmp_path: Path) -> None:
    """Its short side would be enlarged to the square's, its long one to a million pixels."""
    Image.new("RGB", (60_000, 1), "red").save(tmp_path / "thin.png")
    scorer = load(checkpoint)
    if checkpoint.name == "clip":
        (answer,) = scorer.score([ask(scorer, str(tmp_path / "thin.png"), {"one": "red"})])
        assert isinstance(answer, Scores)
    else:
        with pytest.raises(ImageProblem, match="too thin"):
            ask(scorer, str(tmp_path / "thin.png"), {"one": "red"})
