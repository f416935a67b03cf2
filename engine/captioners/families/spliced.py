"""Models and captioners whose prompt is text, image features, text: LLaVA, MiniGPT-4, Qwen-VL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.captioners.answer_text import with_longer_cap
from engine.captioners.base import Caption, Captioner, LoadedCheckpoint
from engine.captioners.checkpoints.cpu_products import use_fast_products
from engine.captioners.checkpoints.quantization import quantize
from engine.captioners.generation.cuda_graphs import capture_for
from engine.captioners.generation.decode_loop import decode
from engine.captioners.generation.generate import (
    GenerationRequest,
    check_length,
    pad_left,
    splice,
    to_caption,
)
from engine.captioners.generation.row_slices import encode_slices, slice_rows, widest_layer
from engine.captioners.generation.static_decoders import LlamaDecoder
from engine.captioners.preprocessing.picture_rules import pixel_rules
from engine.captioners.preprocessing.pixels import SquarePreprocessor
from engine.captioners.settings import Settings
from engine.images.image import Picture


class SplicedModel(nn.Module):
    """A vision side that computes `image_features`, and a `language_model` of transformers."""

    language_model: Any
    image_size: int
    """Side, in pixels, of the square image that the vision side takes."""
    vision_tokens: int
    """Number of tokens into which the vision side cuts an image."""
    image_tokens: int
    """Number of embeddings that the language model gets of an image."""

    def image_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Encode images (B, 3, S, S) as embeddings (B, n, D) of the language model."""
        raise NotImplementedError

    @property
    def vision_layers(self) -> Sequence[nn.Module]:
        """The layers of the vision tower."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def embed_tokens(self, ids: Sequence[int]) -> torch.Tensor:
        """Return the embeddings (tokens, D) of token ids."""
        table = self.language_model.get_input_embeddings()
        embeds: torch.Tensor = table(torch.tensor(ids, device=self.device, dtype=torch.long))
        return embeds

    def embed_prompts(
        self, pixel_values: torch.Tensor, prompts: Sequence[tuple[Sequence[int], Sequence[int]]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs_embeds (B, T, D), padded in front, and their attention mask (B, T).

        `prompts` holds for each image the token ids before it and those after it.
        """
        features = self.image_features(pixel_values)
        rows = [
            splice(self.embed_tokens(before), image[None], self.embed_tokens(after))[0]
            for image, (before, after) in zip(features, prompts, strict=True)
        ]
        return pad_left(rows)


class SplicedCaptioner(Captioner):
    """Captions with a `SplicedModel`: one prompt around each row's image, so without padding."""

    concurrent_batches = True
    name: str
    """The family's name, by which the sampler seeds its noise."""

    def __init__(
        self,
        model: SplicedModel,
        loaded: LoadedCheckpoint,
        tokenizer: Any,
        settings: Settings,
        prompt: tuple[Sequence[int], Sequence[int]],
        stop_ids: Sequence[int],
        pad_id: int,
        stop_text: str | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`prompt` holds the token ids before and after the image; `report` takes progress texts.

        A row ends at one of `stop_ids`, and at `stop_text`.
        """
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings
        self.batch = settings.batch
        self.preprocessor = SquarePreprocessor(model.image_size, settings.preprocess)
        self.stop_ids, self.pad_id, self.stop_text = stop_ids, pad_id, stop_text
        self.prompt_ids = prompt
        vision = [it for it in model.children() if it is not model.language_model]
        widest_of_vision = widest_layer(*vision)
        with torch.inference_mode():
            before, after = (model.embed_tokens(ids) for ids in prompt)
            layers = [*model.vision_layers, *model.language_model.model.layers]
            self.loaded = quantize(model, layers, settings.quantize, model.device, loaded, report)
            if use_fast_products(model, model.language_model):
                self.loaded = replace(self.loaded, memory_mapped=False)
            # Fusing would copy weights that are memory maps of the checkpoint's files.
            fuse = not self.loaded.memory_mapped
            capture = capture_for(model.device, settings.graphs)
            self.decoder = LlamaDecoder(model.language_model, before, after, fuse, capture)
        self.prompt_tokens = len(before) + model.image_tokens + len(after)
        values = max(
            3 * model.image_size**2,
            model.vision_tokens * widest_of_vision,
            self.prompt_tokens * self.decoder.widest,
        )
        self.slice_rows = slice_rows(values * model.dtype.itemsize, model.device)
        """Rows that go through the vision side and prefill at a time."""
        self.fills_cores = self.slice_rows < self.batch

    def release(self) -> None:
        self.decoder.state_pool.release_idle()

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        """Return the model's square of the image, (S, S, 3)."""
        if self.settings.fast_decode:
            picture.draft(self.preprocessor.side)
        return self.preprocessor.resize(picture.rgb(pixel_rules(self.settings)))

    def caption(
        self, inputs: Sequence[NDArray[np.uint8]], record_ids: Sequence[int]
    ) -> list[Caption]:
        return self.caption_with(inputs, record_ids, self.settings)

    def caption_longer(
        self, inputs: Sequence[NDArray[np.uint8]], record_ids: Sequence[int]
    ) -> list[Caption]:
        room = self.model.language_model.config.max_position_embeddings - self.prompt_tokens
        return self.caption_with(inputs, record_ids, with_longer_cap(self.settings, room))

    def encode_prompt(self, prompt: str) -> tuple[Sequence[int], Sequence[int]]:
        """Return the token ids of a prompt before and after the image. Raises `CheckpointError`."""
        raise NotImplementedError

    def with_settings(self, settings: Settings) -> SplicedCaptioner:
        other = copy(self)
        other.settings = settings
        if settings.prompt != self.settings.prompt:
            other.prompt_ids = self.encode_prompt(settings.prompt)
            with torch.inference_mode():
                before, after = (self.model.embed_tokens(ids) for ids in other.prompt_ids)
                other.decoder = self.decoder.with_prompt(before, after)
            other.prompt_tokens = len(before) + self.model.image_tokens + len(after)
        limit = self.model.language_model.config.max_position_embeddings
        check_length(other.prompt_tokens, settings, limit, "max_position_embeddings")
        return other

    @torch.inference_mode()
    def caption_with(
        self,
        inputs: Sequence[NDArray[np.uint8]],
        record_ids: Sequence[int],
        settings: Settings,
    ) -> list[Caption]:
        """Caption with settings of generation that may be others."""
        request = GenerationRequest(
            settings=settings,
            record_ids=record_ids,
            family_name=self.name,
            stop_ids=self.stop_ids,
            pad_id=self.pad_id,
            stop_text=self.stop_text,
            tokenizer=self.tokenizer,
        )
        length = self.prompt_tokens + settings.max_new_tokens
        with self.decoder.state_pool.acquire(len(inputs), length) as state:
            state.prefill(encode_slices(inputs, self.slice_rows, self.encode))
            rows = decode(state, request)
        return [to_caption(row, self.tokenizer, request) for row in rows]

    def encode(self, inputs: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        """Return the image features (B, n, D) of prepared inputs."""
        device, dtype = self.model.device, self.model.dtype
        return self.model.image_features(self.preprocessor.pixel_values(inputs, device, dtype))
