"""The captioner of the `hf` family, and its loading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import dynamic_module_utils

from engine.captioners.answer_text import stripped, with_longer_cap
from engine.captioners.base import (
    AskedPrompt,
    Caption,
    Captioner,
    CheckpointError,
    LoadedCheckpoint,
)
from engine.captioners.checkpoints.cpu_products import use_fast_products
from engine.captioners.checkpoints.foreign_code import (
    NativeCode,
    check_folder_runs_no_code,
    code_advice,
)
from engine.captioners.checkpoints.layouts import read_config
from engine.captioners.checkpoints.quantization import quantize
from engine.captioners.config_files import AGAIN, read_json
from engine.captioners.errors import first_line
from engine.captioners.families.hf.generation import (
    drop_other_keys,
    generate,
    penalty_in_force,
    prepare_model,
)
from engine.captioners.families.hf.patch_product import multiply_patches
from engine.captioners.families.hf.picture_limits import limit_pictures, share_grids
from engine.captioners.families.hf.processors import load_processor
from engine.captioners.families.hf.prompt_reader import prompt_tokens
from engine.captioners.families.hf.question import (
    ModelInputs,
    Question,
    make_questions,
)
from engine.captioners.families.hf.thread_trial import share_processor
from engine.captioners.families.hf.trial import (
    FAILS,
    attempt,
    try_model,
    try_processor,
    try_unequal_texts,
    unequal_texts,
)
from engine.captioners.families.hf.way_trial import TEXT, WayTrial
from engine.captioners.families.hf.ways import ShrinkingBatch, StaticBatch, Way
from engine.captioners.families.hf.weights import check_type, has_class, has_model, load_model
from engine.captioners.generation.cuda_graphs import capture_for
from engine.captioners.generation.generate import (
    GenerationRequest,
    choose_dtype,
    decode_text,
    reasoning_tags,
    to_captions,
)
from engine.captioners.generation.padded_rows import find_text_model
from engine.captioners.preprocessing.picture_rules import pixel_rules
from engine.captioners.record_prompt import PromptRecord, draw
from engine.captioners.settings import MAX_NEW_TOKENS, Settings
from engine.hardware.memory import is_out_of_memory
from engine.images.image import ImageProblem, Picture
from engine.shearing.reasoning import is_reasoning, opens_reasoning

NAME = "hf"
"""The family's name, by which the sampler seeds its noise."""


class HuggingFaceCaptioner(Captioner):
    """Captions with a model and a processor of transformers.

    Each picture goes through the processor alone, as its authors show it. Pictures share a batch
    where the model says of them what it says of each alone, which the trial at load shows;
    otherwise they go through it one by one.
    """

    loaded: LoadedCheckpoint
    config: Mapping[str, Any]
    """The contents of config.json."""

    def __init__(
        self,
        model: Any,
        loaded: LoadedCheckpoint,
        questions: Sequence[Question],
        settings: Settings,
        asked: AskedPrompt,
    ) -> None:
        """Take a loaded model and what it is asked, of which each record gets one question.

        `try_out` comes next.
        """
        self.model = model
        self.loaded = loaded
        self.questions = questions
        self.processor = questions[0].processor
        self.tokenizer = self.processor.tokenizer
        self.settings = settings
        self.batch = settings.batch
        self.asked = asked
        self.stop_ids = prepare_model(model, self.tokenizer)
        self.reasoning_tags = reasoning_tags(self.tokenizer)
        self.shares_batches = False
        """True if pictures may share a batch in which they are padded."""
        penalty = penalty_in_force(model.generation_config, settings)
        # A penalty counts the padding as said before: so it may only be what the prompt has anyway.
        self.prompt_padding = self.pad_id if penalty == 1 else None
        """What fills up the prompts of a batch, as `collate` takes it."""
        self.way = self.plain = Way(model, self.prompt_padding)
        self.note_generation(penalty)

    @property
    def opens_reasoning(self) -> bool:
        """True if an answer begins within the model's reasoning."""
        return any(opens_reasoning(question.text or "") for question in self.questions)

    def with_settings(self, settings: Settings) -> HuggingFaceCaptioner:
        other = copy(self)
        other.settings = settings
        if settings.prompt_choices != self.settings.prompt_choices:
            other.questions = make_questions(self.processor, self.config, settings)
        return other

    @property
    def pad_id(self) -> int:
        pad_id: int = self.tokenizer.pad_token_id
        return pad_id

    def try_out(self, rows: Sequence[ModelInputs], unequal: Sequence[ModelInputs]) -> None:
        """Try the model on the inputs of two pictures. Raises `CheckpointError`.

        `unequal` are inputs with unequal texts; there are none if all records have the same.
        """
        self.shares_batches = try_model(self.model, rows, self.prompt_padding)
        if unequal and self.shares_batches:
            self.shares_batches = try_unequal_texts(self.model, unequal, self.prompt_padding)
        self.plain.shares_batches = self.shares_batches
        self.choose_way(rows, unequal)
        if not self.way.shares_batches:
            self.note("pictures go through it one by one")
        one_token = replace(self.settings, max_new_tokens=1, min_new_tokens=0)
        attempt(FAILS, partial(self.caption_batch, [rows[0]], [0], one_token))

    def choose_way(self, rows: Sequence[ModelInputs], unequal: Sequence[ModelInputs]) -> None:
        """Take the fastest way of running a batch that says what the plain one says."""
        said = self.tokenizer(TEXT, add_special_tokens=False).input_ids
        pairs = [rows, unequal] if unequal else [rows]
        trials = [WayTrial(self.plain, pair, said) for pair in pairs]
        ways: list[Way] = []
        if find_text_model(self.model) is not None:
            capture = capture_for(self.model.device, self.settings.graphs)
            ways.append(StaticBatch(self.model, self.prompt_padding, capture))
        if self.shares_batches:
            ways.append(ShrinkingBatch(self.model, self.prompt_padding))
        multiply_patches(self.model, True)
        for way in ways:
            if all(trial.passes(way) for trial in trials):
                self.way = way
                break
        else:
            multiply_patches(self.model, False)
        if isinstance(self.way, StaticBatch):
            self.concurrent_batches = True
            self.fills_cores = min(map(self.way.reader.slice_rows, rows)) < self.batch
        self.note(self.way.text)

    def check_prefill(self, row: ModelInputs) -> None:
        """Raise `CheckpointError` if `prefill` is not the last that the model reads."""
        prefill = self.settings.prefill
        if not prefill:
            return
        configs = (self.model.config, self.model.config.get_text_config())
        has_encoder = any(getattr(it, "is_encoder_decoder", False) for it in configs)
        ids = row.get("input_ids")
        if has_encoder or ids is None or not self.ends_with(ids[0].tolist(), prefill):
            raise CheckpointError(
                "the model does not continue the text that it reads, so that it cannot take the"
                " beginning of its answer: leave prefill empty, and write that into the prompt"
            )

    def ends_with(self, ids: Sequence[int], text: str) -> bool:
        """Return True if token ids end with a text, or as its own tokens do."""
        own = self.tokenizer(text, add_special_tokens=False).input_ids
        # A token has a byte at least. A first word has other tokens elsewhere, and some templates
        # trim a text's end.
        last = ids[-len(text.encode()) - 1 :]
        read = self.tokenizer.decode(last, clean_up_tokenization_spaces=False)
        return bool(ids[-1:] == own[-1:] or read.endswith(text.strip()))

    def note(self, what: str) -> None:
        """Say something more about the checkpoint in the doctor's report."""
        self.loaded = replace(self.loaded, layout=f"{self.loaded.layout} ({what})")

    def note_generation(self, penalty: float) -> None:
        """Say what holds of generation_config.json, and what is dropped."""
        if penalty != 1:
            self.note(f"repetition_penalty {penalty:g}")
        dropped = drop_other_keys(self.model.generation_config)
        if dropped:
            self.note(f"dropped from generation_config.json: {', '.join(dropped)}")

    def release(self) -> None:
        self.way.release()

    def prepare(self, picture: Picture) -> ModelInputs:
        """Return the image's model inputs. Raises `ImageProblem`."""
        return self.questions[0].inputs_of_record(picture.rgb(pixel_rules(self.settings)))

    def prompt_length(self, inputs: ModelInputs) -> int:
        return prompt_tokens(inputs) if "input_ids" in inputs else 1

    def prepare_record(self, picture: Picture, record: PromptRecord) -> ModelInputs:
        number = draw(self.settings.seed, record.record_id, len(self.questions))
        image = picture.rgb(pixel_rules(self.settings))
        return self.questions[number].inputs_of_record(image, record.texts)

    def caption(self, inputs: Sequence[ModelInputs], record_ids: Sequence[int]) -> list[Caption]:
        return self.caption_with(inputs, record_ids, self.settings)

    def caption_with(
        self, inputs: Sequence[ModelInputs], record_ids: Sequence[int], settings: Settings
    ) -> list[Caption]:
        """Caption with settings of generation that may be others."""
        if self.way.takes(inputs, settings.max_new_tokens):
            return self.caption_batch(inputs, record_ids, settings)
        return [
            self.caption_batch([row], [number], settings)[0]
            for row, number in zip(inputs, record_ids, strict=True)
        ]

    def caption_each(
        self, inputs: Sequence[ModelInputs], record_ids: Sequence[int]
    ) -> Sequence[Caption | ImageProblem]:
        return self.caption_each_with(inputs, record_ids, self.settings)

    def caption_longer(
        self, inputs: Sequence[ModelInputs], record_ids: Sequence[int]
    ) -> Sequence[Caption | ImageProblem]:
        longer = with_longer_cap(self.settings, self.room_behind(inputs))
        return self.caption_each_with(inputs, record_ids, longer)

    def room_behind(self, inputs: Sequence[ModelInputs]) -> int:
        """Return how many new tokens the model's positions have room for behind these inputs."""
        positions = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        prompts = [row["input_ids"].shape[1] for row in inputs if "input_ids" in row]
        return (positions or MAX_NEW_TOKENS) - max(prompts, default=0)

    def caption_each_with(
        self, inputs: Sequence[ModelInputs], record_ids: Sequence[int], settings: Settings
    ) -> Sequence[Caption | ImageProblem]:
        """Do as `caption_each` with settings of generation that may be others."""
        try:
            return self.caption_with(inputs, record_ids, settings)
        except Exception as error:
            if is_out_of_memory(error) or is_sticky(error):
                raise
            if len(inputs) == 1:
                reason = f"the model fails at this image: {first_line(error)}"
                return [ImageProblem("refused", reason)]
        return [
            self.caption_each_with([row], [number], settings)[0]
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
            opens_reasoning=self.opens_reasoning,
            reasoning_tags=self.reasoning_tags,
        )
        is_taken = self.way.takes(rows, settings.max_new_tokens)
        ids = generate(self.way if is_taken else self.plain, request, rows)
        captions = to_captions(ids, self.tokenizer, request)
        return [
            self.with_raw_text(caption, row)
            for caption, row in zip(captions, ids.tolist(), strict=True)
        ]

    def with_raw_text(self, caption: Caption, ids: Sequence[int]) -> Caption:
        """Return a generated caption as it is stored; `ids` are its row of new tokens."""
        text = self.raw_text(caption, ids)
        is_all_reasoning = self.opens_reasoning and is_reasoning(caption.raw, opened=True)
        return replace(caption, raw=text, reasoning=text if is_all_reasoning else "")

    def raw_text(self, caption: Caption, ids: Sequence[int]) -> str:
        """Return the raw caption that a generated one becomes; `ids` are its row of new tokens."""
        text = caption.raw
        if self.settings.prefill and self.settings.keep_prefill:
            # Together, for some tokenizers drop the space at the beginning of a text.
            begun = self.tokenizer(self.settings.prefill, add_special_tokens=False).input_ids
            whole = [*begun, *ids[: caption.tokens]]
            joined = decode_text(self.tokenizer, whole, self.reasoning_tags)
            text = (
                joined
                if joined.startswith(self.settings.prefill)
                else f"{self.settings.prefill}{text}"
            )
        return stripped(text, self.settings)


def quantize_text(
    folder: Path,
    model: Any,
    how: str,
    loaded: LoadedCheckpoint,
    report: Callable[[str], None],
) -> LoadedCheckpoint:
    """Bring the layers of the language model to eight bits, as the setting `quantize` says.

    Raises `CheckpointError` where they are not of a known kind.
    """
    if how == "none":
        return loaded
    text_model = find_text_model(model)
    if text_model is None or getattr(model.config, "quantization_config", None) is not None:
        raise CheckpointError(
            f"{folder}: quantize={how} works for language models like Llama and Qwen with weights"
            " that are not quantized yet: set quantize=none"
        )
    return quantize(model, text_model.layers, how, model.device, loaded, report)


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
        why = str(error).rpartition(AGAIN)[0].rstrip(":; ") or str(error)
        raise CheckpointError(f"{why}; the folder has code of its own, {advice}") from error
    if has_code:
        captioner.note("its own code is not used")
    return captioner


def load_without_code(
    folder: Path,
    settings: Settings,
    device: str,
    report: Callable[[str], None],
    thin: Any = None,
) -> HuggingFaceCaptioner:
    """Return the captioner of a checkpoint folder that was looked at before.

    `thin` is as in `load_model`.
    """
    check_type(folder)
    # The processor comes first, for it is refused in seconds.
    tokenizer_path = Path(settings.tokenizer) if settings.tokenizer else folder
    processor = load_processor(folder, tokenizer_path)
    config = read_json(folder / "config.json")
    try:
        limit_pictures(processor, settings)
        questions = make_questions(processor, config, settings)
        tried = [try_processor(question) for question in questions]
        unequal = unequal_texts(questions)
        share_processor(questions, tried[0])
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    dtype = choose_dtype(settings.dtype, device)
    model, loaded = load_model(folder, dtype, device, report, settings.adapter, thin=thin)
    loaded = quantize_text(folder, model, settings.quantize, loaded, report)
    text_model = find_text_model(model)
    decoding = [] if text_model is None else [text_model, model.get_output_embeddings()]
    use_fast_products(model, *decoding)
    if settings.max_tiles is not None:
        share_grids(processor, model.config)
    asked = questions[0].describe(tried[0][0])
    report("trying it on two test pictures")
    try:
        captioner = HuggingFaceCaptioner(model, loaded, questions, settings, asked)
        captioner.config = config
        captioner.check_prefill(tried[0][0])
        captioner.try_out(tried[0], unequal)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    return captioner
