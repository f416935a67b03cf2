"""Captioners whose prompt is text, image features, text: LLaVA, MiniGPT-4, Qwen-VL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.captioners.base import Caption, Captioner, Loaded
from engine.captioners.checkpoints.quantization import quantize
from engine.captioners.generation.cuda_graphs import recorder
from engine.captioners.generation.decode_loop import decode
from engine.captioners.generation.generate import GenerationRequest, pad_left, splice, to_caption
from engine.captioners.generation.static_decoders import LlamaDecoder
from engine.captioners.preprocessing.pixels import Square
from engine.captioners.settings import Settings
from engine.images.image import Picture


class SplicedModel(nn.Module):
    """A vision side that makes `image_features`, and a `language_model` of transformers."""

    language_model: Any
    image_size: int
    """Pixels of the square that the vision side takes."""

    def image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) to (B, n, D of the language model)."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def embed(self, ids: Sequence[int]) -> torch.Tensor:
        """(tokens, D)."""
        table = self.language_model.get_input_embeddings()
        found: torch.Tensor = table(torch.tensor(ids, device=self.device, dtype=torch.long))
        return found

    def join(
        self, pixels: torch.Tensor, rows: Sequence[tuple[Sequence[int], Sequence[int]]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings (B, T, D), padded in front, and their mask; a row is (ids before the image,
        ids after it)."""
        features = self.image_features(pixels)
        joined = [
            splice(self.embed(before), one[None], self.embed(after))[0]
            for one, (before, after) in zip(features, rows, strict=True)
        ]
        return pad_left(joined)


class Spliced(Captioner):
    """One prompt around one image a row: nothing is padded."""

    side_by_side = True
    name: str
    """Of the model, for its samples."""

    def __init__(
        self,
        model: SplicedModel,
        loaded: Loaded,
        tokenizer: Any,
        settings: Settings,
        prompt: tuple[Sequence[int], Sequence[int]],
        stop_ids: Sequence[int],
        pad_id: int,
        stop_text: str | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings
        self.batch = settings.batch
        self.square = Square(model.image_size, settings.preprocess)
        self.stop_ids, self.pad_id, self.stop_text = stop_ids, pad_id, stop_text
        self.prompt_ids = prompt
        with torch.inference_mode():
            before, after = (model.embed(ids) for ids in prompt)
            layers = model.language_model.model.layers
            self.loaded = quantize(model, layers, settings.quantize, model.device, loaded, report)
            join = not self.loaded.mapped
            record = recorder(model.device, settings.graphs)
            self.decoder = LlamaDecoder(model.language_model, before, after, join, record)

    def release(self) -> None:
        self.decoder.kept.release()

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        """(S, S, 3)."""
        if self.settings.fast_decode:
            picture.draft(self.square.side)
        return self.square.cut(picture.rgb())

    @torch.inference_mode()
    def caption(self, inputs: Sequence[NDArray[np.uint8]], records: Sequence[int]) -> list[Caption]:
        pixels = self.square.pixel_values(inputs, self.model.device, self.model.dtype)
        features = self.model.image_features(pixels)
        asked = GenerationRequest(
            self.settings,
            records,
            self.name,
            self.stop_ids,
            self.pad_id,
            self.stop_text,
            self.tokenizer,
        )
        with self.decoder.begin(features, self.settings.max_new_tokens) as running:
            rows = decode(running, asked)
        return [to_caption(row, self.tokenizer, asked) for row in rows]
