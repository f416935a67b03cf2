"""The `score-vqa` family: how likely a model that writes captions says "Yes" of one.

VQAScore (Lin et al. 2024, arXiv 2404.01291): the model is shown the picture and asked "Does this
figure show 'CAPTION'? Please answer yes or no." The score is the probability, from 0 to 1, that the
first token of "Yes" begins its answer: among all tokens, not of yes and no alone. So does the
official code (github.com/linzhiqiu/t2v_metrics) with newer models; with LLaVA-1.5 it takes the
geometric mean of that and of the end that follows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray

from engine.captioners.base import Scorer, Scores
from engine.captioners.checkpoints.scorer_kinds import is_asked_as_llava
from engine.captioners.errors import first_line
from engine.captioners.families import llava
from engine.captioners.families.hf import captioner as hf
from engine.captioners.families.hf.captioner import HuggingFaceCaptioner, is_sticky
from engine.captioners.families.hf.question import ModelInputs
from engine.captioners.families.hf.rows import collate
from engine.captioners.families.hf.trial import first_logits
from engine.captioners.families.llava import LlavaCaptioner
from engine.captioners.generation.generate import pad_left, splice
from engine.captioners.preprocessing.picture_rules import pixel_rules
from engine.captioners.preprocessing.prompts import encode_around_image
from engine.captioners.presets import LLAVA_CONVERSATION
from engine.captioners.record_prompt import (
    CAPTION_KEY,
    MAX_CHARACTERS,
    PromptRecord,
    fill,
    one_line,
)
from engine.captioners.settings import Settings
from engine.hardware.memory import is_out_of_memory
from engine.images.image import ImageProblem, Picture

ANSWER = "Yes"
"""The answer whose first token counts."""
IMAGE = "<image>"
"""Where the picture goes in a prompt for LLaVA-1.5."""
PAIRS = 8
"""Pairs of a picture and a caption that go through LLaVA-1.5 together."""


class Asked(NamedTuple):
    """What is asked about one picture."""

    picture: Any
    """The prepared picture, for a model that is asked about it several times; else None."""
    questions: dict[str, Any]
    """The prepared question about each caption, by its digest."""


class YesScorer(Scorer):
    """Scores with a captioner that was loaded, by what it answers."""

    def __init__(self, captioner: HuggingFaceCaptioner | LlavaCaptioner) -> None:
        self.captioner: Any = captioner
        self.loaded = captioner.loaded
        self.asked = captioner.asked
        self.batch = captioner.batch
        self.fills_cores = True
        ids = captioner.tokenizer(ANSWER, add_special_tokens=False).input_ids
        self.yes = int(ids[0])
        """The token that begins the answer."""

    def release(self) -> None:
        self.captioner.release()

    def score(self, inputs: Sequence[Asked]) -> Sequence[Scores | ImageProblem]:
        try:
            return self.score_together(inputs)
        except Exception as error:
            if is_out_of_memory(error) or is_sticky(error):
                raise
            if len(inputs) == 1:
                return [ImageProblem("refused", f"the model fails at it: {first_line(error)}")]
        return [self.score([one])[0] for one in inputs]

    def score_together(self, inputs: Sequence[Asked]) -> list[Scores]:
        """Return the scores of each record. Raises whatever the model raises."""
        results = []
        for probabilities, asked in zip(self.probabilities(inputs), inputs, strict=True):
            results.append(Scores(dict(zip(asked.questions, probabilities, strict=True))))
        return results

    @abstractmethod
    def probabilities(self, inputs: Sequence[Asked]) -> list[list[float]]:
        """Return for each record the probability of `ANSWER` to each of its questions."""

    def of_logits(self, logits: torch.Tensor) -> list[float]:
        """Return the probability of `ANSWER` for logits (rows, vocabulary)."""
        chances: list[float] = logits.float().softmax(-1)[:, self.yes].tolist()
        return chances


class ChatScorer(YesScorer):
    """Asks a model of transformers, in its own conversation."""

    def prepare_record(self, picture: Picture, record: PromptRecord) -> Asked:
        image = picture.rgb(pixel_rules(self.captioner.settings))
        question = self.captioner.questions[0]
        return Asked(
            None,
            {
                digest: question.inputs_of_record(image, {CAPTION_KEY: as_asked(text)})
                for digest, text in record.texts.items()
            },
        )

    def probabilities(self, inputs: Sequence[Asked]) -> list[list[float]]:
        rows = [row for asked in inputs for row in asked.questions.values()]
        size = self.batch if self.captioner.shares_batches else 1
        found: list[float] = []
        for start in range(0, len(rows), size):
            found += self.of_logits(self.logits(rows[start : start + size]))
        chances = iter(found)
        return [[next(chances) for _ in asked.questions] for asked in inputs]

    def logits(self, rows: Sequence[ModelInputs]) -> torch.Tensor:
        """Return the logits (rows, vocabulary) of the first token of each answer."""
        joined = collate(rows, self.captioner.prompt_padding)
        return first_logits(self.captioner.model, joined, new_tokens=1)


class LlavaScorer(YesScorer):
    """Asks LLaVA-1.5, which sees each picture once for all of its captions."""

    def prepare_record(self, picture: Picture, record: PromptRecord) -> Asked:
        square: NDArray[Any] = self.captioner.prepare(picture)
        prompt = self.captioner.settings.prompt
        texts = {key: fill(prompt, {CAPTION_KEY: as_asked(it)}) for key, it in record.texts.items()}
        return Asked(
            square,
            {
                key: encode_around_image(self.captioner.tokenizer, text, IMAGE)
                for key, text in texts.items()
            },
        )

    def probabilities(self, inputs: Sequence[Asked]) -> list[list[float]]:
        return [self.of_picture(asked.picture, list(asked.questions.values())) for asked in inputs]

    @torch.inference_mode()
    def of_picture(self, square: Any, questions: Sequence[Any]) -> list[float]:
        """Return the probability of `ANSWER` to each question about one picture."""
        model = self.captioner.model
        features = self.captioner.encode([square])
        found: list[float] = []
        for start in range(0, len(questions), PAIRS):
            rows = [
                splice(model.embed_tokens(before), features, model.embed_tokens(after))[0]
                for before, after in questions[start : start + PAIRS]
            ]
            embeds, mask = pad_left(rows)
            logits = model.language_model(
                inputs_embeds=embeds, attention_mask=mask, logits_to_keep=1
            ).logits
            found += self.of_logits(logits[:, -1])
        return found


def as_asked(caption: str) -> str:
    """Return a caption as it stands in a question: one line, cut where it is very long."""
    return one_line(caption)[:MAX_CHARACTERS]


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> YesScorer:
    """Return the scorer of a checkpoint folder of LLaVA-1.5 or of `hf`.

    Raises `CheckpointError`, and whatever `check_host_memory` raises.
    """
    folder = Path(checkpoint or "")
    if is_asked_as_llava(folder, settings.quantize):
        whole = settings.prompt
        if IMAGE not in whole:
            whole = LLAVA_CONVERSATION.replace("{}", whole)
        settings = replace(settings, prompt=whole, preprocess=settings.preprocess or "pad")
        return LlavaScorer(llava.load(checkpoint, settings, device, report))
    return ChatScorer(hf.load(checkpoint, replace(settings, max_new_tokens=1), device, report))
