"""The `score` family: how near a CLIP or SigLIP finds a picture and a caption to each other.

The score is the cosine of the angle between the embeddings of picture and caption, from -1 to 1, as
CLIPScore has it before its scaling (Hessel et al. 2021, arXiv 2104.08718).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import normalize
from transformers import AutoModel, dynamic_module_utils

from engine.captioners.base import CheckpointError, LoadedCheckpoint, Scorer, Scores
from engine.captioners.checkpoints.cpu_products import use_fast_products
from engine.captioners.checkpoints.foreign_code import NativeCode, check_folder_runs_no_code
from engine.captioners.checkpoints.scorer_kinds import CONTRASTIVE_TYPES
from engine.captioners.families.hf.processors import load_processor
from engine.captioners.families.hf.trial import FAILS, TEXTS, attempt, draw_pictures
from engine.captioners.families.hf.weights import has_class, load_model
from engine.captioners.generation.generate import choose_dtype
from engine.captioners.generation.row_slices import slice_rows, widest_layer
from engine.captioners.preprocessing.picture_rules import pixel_rules
from engine.captioners.record_prompt import PromptRecord
from engine.captioners.scorers.pictures import pictures_of
from engine.captioners.settings import Settings
from engine.images.image import ImageProblem, Picture

TEXT_KEYS = ("input_ids", "attention_mask")
"""What a text encoder takes of what a tokenizer returns."""
NOT_FINITE = ImageProblem("refused", "a score is not a finite number")


@dataclass(frozen=True, slots=True)
class PreparedRecord:
    """A prepared picture, and its captions by their digests."""

    pixels: Any
    texts: Mapping[str, str] = field(hash=False)


class ContrastiveScorer(Scorer):
    """Scores with a model of transformers that has an encoder of pictures and one of texts."""

    concurrent_batches = True
    loaded: LoadedCheckpoint

    def __init__(
        self, model: Any, processor: Any, loaded: LoadedCheckpoint, settings: Settings
    ) -> None:
        self.model = model
        self.tokenizer = processor.tokenizer
        self.tokenizer_lock = threading.Lock()
        """A tokenizer cannot serve two threads at once."""
        self.loaded = loaded
        self.pixel_rules = pixel_rules(settings)
        self.batch = settings.batch
        self.pictures = pictures_of(processor)
        text, vision = model.config.text_config, model.config.vision_config
        self.length: int = text.max_position_embeddings
        """The most tokens of a text; what a longer one says beyond is not read."""
        # SigLIP looks at the padding, and was trained with texts that are filled up.
        self.padding: Any = True if model.config.model_type == "clip" else "max_length"
        patches = (
            getattr(vision, "num_patches", None) or (vision.image_size // vision.patch_size) ** 2
        )
        size = model.dtype.itemsize
        widest = widest_layer(model.vision_model)
        self.picture_rows = slice_rows(size * (patches + 1) * widest, model.device)
        widest = widest_layer(model.text_model)
        self.text_rows = slice_rows(size * self.length * widest, model.device)
        self.fills_cores = self.picture_rows < self.batch

    def prepare_record(self, picture: Picture, record: PromptRecord) -> PreparedRecord:
        return PreparedRecord(
            self.pictures.prepare(picture.rgb(self.pixel_rules)), dict(record.texts)
        )

    @torch.inference_mode()
    def score(self, inputs: Sequence[PreparedRecord]) -> list[Scores | ImageProblem]:
        texts = list(dict.fromkeys(text for it in inputs for text in it.texts.values()))
        if not texts:
            return [Scores({}) for _ in inputs]
        pictures = self.picture_embeddings([it.pixels for it in inputs])
        numbers = {text: number for number, text in enumerate(texts)}
        pairs = [
            (row, numbers[text]) for row, it in enumerate(inputs) for text in it.texts.values()
        ]
        rows, columns = torch.tensor(pairs, device=pictures.device).T
        cosines = (pictures[rows] * self.text_embeddings(texts)[columns]).sum(-1).tolist()
        scores = iter(cosines)
        return [scores_of({digest: next(scores) for digest in it.texts}) for it in inputs]

    def picture_embeddings(self, prepared: Sequence[Any]) -> torch.Tensor:
        """Return the embeddings (B, D) of prepared pictures, in float32 and of length 1."""
        parts = []
        for start in range(0, len(prepared), self.picture_rows):
            part = prepared[start : start + self.picture_rows]
            inputs = self.pictures.join(part, self.model.device, self.model.dtype)
            parts.append(self.model.get_image_features(**inputs).pooler_output)
        return normalize(torch.cat(parts).float(), dim=-1)

    def text_embeddings(self, texts: Sequence[str]) -> torch.Tensor:
        """Return the embeddings (N, D) of texts, in float32 and of length 1."""
        # In the order of their lengths, so that little is padding.
        order = sorted(range(len(texts)), key=lambda it: len(texts[it]))
        parts = []
        for start in range(0, len(order), self.text_rows):
            tokens = self.tokens([texts[it] for it in order[start : start + self.text_rows]])
            parts.append(self.model.get_text_features(**tokens).pooler_output)
        places = torch.tensor(order, device=self.model.device).argsort()
        return normalize(torch.cat(parts).float(), dim=-1)[places]

    def tokens(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """Return the text encoder's inputs."""
        # A tokenizer takes no lone surrogates.
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        with self.tokenizer_lock:
            tokens = self.tokenizer(
                clean,
                padding=self.padding,
                truncation=True,
                max_length=self.length,
                return_tensors="pt",
            )
        return {key: tokens[key].to(self.model.device) for key in TEXT_KEYS if key in tokens}

    def try_out(self) -> None:
        """Score two drawn pictures. Raises `CheckpointError`."""
        texts = {text: text for text in TEXTS}
        inputs = [PreparedRecord(self.pictures.prepare(it), texts) for it in draw_pictures()]
        results = attempt(FAILS, partial(self.score, inputs))
        if NOT_FINITE in results:
            raise CheckpointError("its scores of a test picture are not finite numbers")


def scores_of(by_digest: dict[str, float]) -> Scores | ImageProblem:
    """Return the scores of a record, or why it has none."""
    return Scores(by_digest) if all(map(math.isfinite, by_digest.values())) else NOT_FINITE


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> ContrastiveScorer:
    """Return the scorer of a checkpoint folder.

    Raises `CheckpointError`, and whatever `check_host_memory` raises.
    """
    folder = Path(checkpoint or "")
    # Otherwise transformers would ask on the terminal whether a part's code may run.
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0
    check_folder_runs_no_code(folder, NativeCode(CONTRASTIVE_TYPES.__contains__, has_class))
    processor = load_processor(folder, folder)
    dtype = choose_dtype(settings.dtype, device)
    model, loaded = load_model(folder, dtype, device, report, auto_class=AutoModel)
    use_fast_products(model)
    report("trying it on two test pictures")
    try:
        scorer = ContrastiveScorer(model, processor, loaded, settings)
        scorer.try_out()
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    return scorer
