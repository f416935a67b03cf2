"""The captioner of the `hf` family, and its loading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import dynamic_module_utils

from engine.captioners.base import (
    AskedPrompt,
    Caption,
    Captioner,
    CheckpointError,
    LoadedCheckpoint,
)
from engine.captioners.checkpoints.foreign_code import (
    NativeCode,
    check_folder_runs_no_code,
    code_advice,
)
from engine.captioners.checkpoints.layouts import read_config
from engine.captioners.config_files import read_json
from engine.captioners.errors import first_line
from engine.captioners.families.hf.generation import generate, prepare_model
from engine.captioners.families.hf.processors import load_processor
from engine.captioners.families.hf.question import ModelInputs, Question, make_question
from engine.captioners.families.hf.rows import collate, to_device
from engine.captioners.families.hf.trial import FAILS, attempt, try_model, try_processor
from engine.captioners.families.hf.weights import check_type, has_class, has_model, load_model
from engine.captioners.generation.generate import GenerationRequest, choose_dtype, to_captions
from engine.captioners.open_models import own_prompt
from engine.captioners.preprocessing.picture_rules import pixel_rules
from engine.captioners.settings import Settings
from engine.hardware.memory import is_out_of_memory
from engine.images.image import ImageProblem, Picture

NAME = "hf"
"""The family's name, by which the sampler seeds its noise."""


class HuggingFaceCaptioner(Captioner):
    """Captions with a model and a processor of transformers.

    Each picture goes through the processor alone, as its authors show it. Pictures share a batch
    where the model says of them what it says of each alone, which the trial at load shows;
    otherwise they go through it one by one.
    """

    loaded: LoadedCheckpoint

    def __init__(
        self,
        model: Any,
        loaded: LoadedCheckpoint,
        question: Question,
        settings: Settings,
        asked: AskedPrompt,
    ) -> None:
        """Take a loaded model and the question that it is asked; `try_out` comes next."""
        self.model = model
        self.loaded = loaded
        self.question = question
        self.processor = question.processor
        self.tokenizer = question.processor.tokenizer
        self.settings = settings
        self.batch = settings.batch
        self.asked = asked
        self.stop_ids = prepare_model(model, self.tokenizer)
        self.shares_batches = False
        """True if pictures may share a batch."""
        penalty = model.generation_config.repetition_penalty
        # A penalty counts the padding as said before: so it may only be what the prompt has anyway.
        self.prompt_padding = None if penalty not in (None, 1.0) else self.pad_id
        """What fills up the prompts of a batch, as `collate` takes it."""

    @property
    def pad_id(self) -> int:
        pad_id: int = self.tokenizer.pad_token_id
        return pad_id

    def try_out(self, rows: Sequence[ModelInputs]) -> None:
        """Try the model on the inputs of two pictures. Raises `CheckpointError`."""
        self.shares_batches = try_model(self.model, rows, self.prompt_padding)
        if not self.shares_batches:
            self.note("pictures go through it one by one")
        one_token = replace(self.settings, max_new_tokens=1, min_new_tokens=0)
        attempt(FAILS, partial(self.caption_batch, [rows[0]], [0], one_token))

    def note(self, what: str) -> None:
        """Say something more about the checkpoint in the doctor's report."""
        self.loaded = replace(self.loaded, layout=f"{self.loaded.layout} ({what})")

    def prepare(self, picture: Picture) -> ModelInputs:
        """Return the image's model inputs. Raises `ImageProblem`."""
        return self.question.inputs_of_record(picture.rgb(pixel_rules(self.settings)))

    def caption(self, inputs: Sequence[ModelInputs], record_ids: Sequence[int]) -> list[Caption]:
        if self.shares_batches:
            return self.caption_batch(inputs, record_ids, self.settings)
        return [
            self.caption_batch([row], [number], self.settings)[0]
            for row, number in zip(inputs, record_ids, strict=True)
        ]

    def caption_each(
        self, inputs: Sequence[ModelInputs], record_ids: Sequence[int]
    ) -> Sequence[Caption | ImageProblem]:
        try:
            return self.caption(inputs, record_ids)
        except Exception as error:
            if is_out_of_memory(error) or is_sticky(error):
                raise
            if len(inputs) == 1:
                reason = f"the model fails at this image: {first_line(error)}"
                return [ImageProblem("refused", reason)]
        return [
            self.caption_each([row], [number])[0]
            for row, number in zip(inputs, record_ids, strict=True)
        ]

    def caption_batch(
        self, rows: Sequence[ModelInputs], record_ids: Sequence[int], settings: Settings
    ) -> list[Caption]:
        """Return the captions of pictures that go through the model together."""
        request = GenerationRequest(
            settings=settings,
            record_ids=record_ids,
            family_name=NAME,
            stop_ids=self.stop_ids,
            pad_id=self.pad_id,
            tokenizer=self.tokenizer,
        )
        joined = collate(rows, self.prompt_padding)
        batch = to_device(joined, self.model.device, self.model.dtype)
        return to_captions(generate(self.model, request, batch), self.tokenizer, request)


def is_sticky(error: Exception) -> bool:
    """Return True for an error of a GPU after which every further call fails."""
    return isinstance(error, getattr(torch, "AcceleratorError", ()))


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> HuggingFaceCaptioner:
    """Return the captioner of a checkpoint folder.

    Raises `CheckpointError`, and whatever `check_host_memory` raises.
    """
    folder = Path(checkpoint or "")
    # Otherwise transformers would ask on the terminal whether a part's code may run.
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0
    has_code = check_folder_runs_no_code(folder, NativeCode(has_model, has_class))
    try:
        captioner = load_without_code(folder, settings, device, report)
    except CheckpointError as error:
        if not has_code:
            raise
        advice = code_advice(str(read_config(folder).get("model_type")))
        raise CheckpointError(f"{error}; the folder has code of its own, {advice}") from error
    if has_code:
        captioner.note("its own code is left aside")
    return captioner


def load_without_code(
    folder: Path, settings: Settings, device: str, report: Callable[[str], None]
) -> HuggingFaceCaptioner:
    """Return the captioner of a checkpoint folder that was looked at before."""
    check_type(folder)
    # The processor comes first, for it is refused in seconds.
    tokenizer_path = Path(settings.tokenizer) if settings.tokenizer else folder
    processor = load_processor(folder, tokenizer_path)
    config = read_json(folder / "config.json")
    try:
        question = make_question(processor, config, own_prompt(config, settings.prompt))
        rows = try_processor(question)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    model, loaded = load_model(folder, choose_dtype(settings.dtype, device), device, report)
    captioner = HuggingFaceCaptioner(model, loaded, question, settings, question.describe(rows[0]))
    report("trying it on two drawn pictures")
    try:
        captioner.try_out(rows)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    return captioner
