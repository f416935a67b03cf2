"""Generation with what a checkpoint's own files say of it.

Of what the checkpoint's generation_config.json says, the tokens that end, begin or may not be in an
answer stay in force, and the penalties of repetition. All else is left to the settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from engine.captioners.base import CheckpointError
from engine.captioners.families.hf.question import ModelInputs
from engine.captioners.families.hf.ways import Way
from engine.captioners.generation.generate import GenerationRequest, StopAtSentence
from engine.captioners.generation.gumbel import GumbelSampler
from engine.captioners.preprocessing.prompts import as_id_list
from engine.captioners.settings import Settings

DROPPED = (
    *("do_sample", "temperature", "top_k", "top_p", "min_p", "top_h", "typical_p"),
    *("epsilon_cutoff", "eta_cutoff", "num_beams", "num_beam_groups", "early_stopping"),
    *("length_penalty", "diversity_penalty", "num_return_sequences", "max_length"),
    *("max_new_tokens", "min_length", "min_new_tokens", "max_time", "stop_strings"),
    *("encoder_repetition_penalty", "encoder_no_repeat_ngram_size", "penalty_alpha"),
    *("exponential_decay_length_penalty", "sequence_bias", "guidance_scale", "token_healing"),
    *("watermarking_config", "dola_layers", "constraints", "force_words_ids"),
    *("prompt_lookup_num_tokens", "renormalize_logits", "remove_invalid_values"),
)
"""Keys of generation_config.json that would shape a caption otherwise than the settings say."""


class PromptLength(LogitsProcessor):  # type: ignore[misc]
    """Notes how many tokens stand before the first new one, and tells those that need it.

    It depends on the family whether `generate` counts the prompt, the image's tokens, or neither.
    """

    def __init__(self, listeners: list[Any]) -> None:
        """Each listener has an attribute `prompt_tokens`."""
        self.listeners = listeners
        self.tokens: int | None = None
        """The number; None before the first token."""

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        if self.tokens is None:
            self.tokens = input_ids.shape[1]
            for listener in self.listeners:
                listener.prompt_tokens = self.tokens
        return scores


def prepare_model(model: Any, tokenizer: Any) -> list[int]:
    """Make a model ready for `generate`, and return the ids of the tokens that end a caption.

    Raises `CheckpointError` if an end token is no number.
    """
    config = model.generation_config
    if config.eos_token_id is None:
        config.eos_token_id = tokenizer.eos_token_id
    stop_ids = as_id_list(config.eos_token_id)
    if model.config.model_type == "blip":
        # Its own `generate` ends at the token that separates sentences.
        stop_ids = [*stop_ids, model.config.text_config.sep_token_id]
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(stop_ids[0])
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id
    return stop_ids


def penalty_in_force(config: Any, settings: Settings) -> float:
    """Return the repetition penalty: the setting's, or else that of generation_config.json."""
    own = config.repetition_penalty or 1.0
    return float(own if settings.repetition_penalty is None else settings.repetition_penalty)


def drop_other_keys(config: Any) -> list[str]:
    """Take out of a model's generation config what the settings decide.

    Return `KEY=VALUE` of each key that would have shaped captions.
    """
    values = {key: getattr(config, key, None) for key in DROPPED}
    for key, value in values.items():
        if value is not None:
            setattr(config, key, None)
    return [f"{key}={value}" for key, value in values.items() if has_effect(value)]


def has_effect(value: Any) -> bool:
    """Return True unless a key with this value changes nothing of one answer chosen greedily."""
    return value is True or value not in (None, 0, 1)


@torch.inference_mode()
def generate(way: Way, request: GenerationRequest, rows: Sequence[ModelInputs]) -> torch.Tensor:
    """Return new token ids (B, at most max_new_tokens), `pad_id` after a row's end.

    Raises `torch.OutOfMemoryError`, `CheckpointError` for
    settings that the model cannot follow, and whatever the model raises.
    """
    settings = request.settings
    samplers: list[LogitsProcessor] = []
    stoppers: list[StoppingCriteria] = []
    if settings.temperature > 0:
        samplers.append(
            GumbelSampler(
                record_ids=request.record_ids,
                seed=settings.seed,
                temperature=settings.temperature,
                top_p=settings.top_p,
                prompt_tokens=0,
                device=way.model.device,
                family_name=request.family_name,
            )
        )
    if settings.stop_at_sentence:
        stoppers.append(StopAtSentence(request, 0))
    length = PromptLength([*samplers, *stoppers])
    asked = {
        "min_new_tokens": settings.min_new_tokens,
        "no_repeat_ngram_size": settings.no_repeat_ngram,
        "repetition_penalty": settings.repetition_penalty,
    }
    ids, prompt = way.run(
        rows,
        **{key: value for key, value in asked.items() if value},
        max_new_tokens=settings.max_new_tokens,
        do_sample=False,
        num_beams=1,
        return_dict_in_generate=False,
        logits_processor=LogitsProcessorList([length, *samplers]),
        stopping_criteria=StoppingCriteriaList(stoppers),
    )
    if length.tokens is None and length.listeners:
        raise CheckpointError(
            f"{type(way.model).__name__} of transformers takes neither sampling nor an end at the"
            " sentence: set temperature=0 and stop_at_sentence=no"
        )
    return ids[:, prompt_tokens(ids, prompt, length) :]


def prompt_tokens(ids: torch.Tensor, prompt: torch.Tensor | None, length: PromptLength) -> int:
    """Return how many tokens of `ids` stand before the first new one."""
    if length.tokens is not None:
        return length.tokens
    if prompt is None or not torch.equal(ids[:, : prompt.shape[1]], prompt):
        return 0
    tokens: int = prompt.shape[1]
    return tokens
