"""LLaVA-1.5 (Liu et al., arXiv 2310.03744) from the llava-hf layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    LlamaTokenizer,
    LlamaTokenizerFast,
    LlavaForConditionalGeneration,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from engine.captioners.base import Caption, Captioner, CheckpointError
from engine.captioners.generation import choose_dtype, generate, splice, to_captions
from engine.captioners.registry import Settings
from engine.images import Picture

IGNORED = ("position_ids",)
"""Ends of the keys that official files hold and no model needs."""


class Llava(Captioner):
    def __init__(self, folder: Path, settings: Settings, device: str) -> None:
        self.settings = settings
        self.batch = settings.batch
        self.processor = CLIPImageProcessorPil.from_pretrained(folder)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = load_model(folder, choose_dtype(settings.dtype, device)).to(device).eval()
        # The legacy default of 20 would meet max_new_tokens with a warning on every batch.
        self.model.generation_config.max_length = None
        eos = self.model.generation_config.eos_token_id or self.tokenizer.eos_token_id
        self.stop_ids = eos if isinstance(eos, list) else [eos]
        pad = self.tokenizer.pad_token_id
        self.pad_id = self.stop_ids[0] if pad is None else pad
        before, after = self.embed_prompt(settings.prompt)
        self.before, self.after = before, after

    @torch.inference_mode()
    def embed_prompt(self, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
        """The text around `<image>` as embeddings, each (tokens, D), BOS at the very front."""
        parts = prompt.split("<image>")
        if len(parts) != 2:
            raise CheckpointError(f"the prompt must hold <image> exactly once: {prompt!r}")
        ids = [self.encode(part) for part in parts]
        ids[0].insert(0, self.tokenizer.bos_token_id)
        embed = self.model.get_input_embeddings()
        device = self.model.device
        first, second = (
            embed(torch.tensor(chunk, device=device, dtype=torch.long)) for chunk in ids
        )
        return first, second

    def encode(self, chunk: str) -> list[int]:
        """As the slow Llama tokenizer of 4.31: the fast one swallows a blank in front."""
        is_llama = isinstance(self.tokenizer, LlamaTokenizer | LlamaTokenizerFast)
        padded = f" {chunk}" if is_llama and chunk.startswith(" ") else chunk
        ids: list[int] = self.tokenizer(padded, add_special_tokens=False).input_ids
        return ids

    def prepare(self, picture: Picture) -> torch.Tensor:
        """(3, H, W) float32: resized, centre crop of the tower's size, CLIP mean and std."""
        pixels = self.processor(picture.rgb(), return_tensors="pt").pixel_values[0]
        return torch.as_tensor(pixels)

    @torch.inference_mode()
    def caption(self, inputs: Sequence[torch.Tensor], records: Sequence[int]) -> list[Caption]:
        pixel_values = torch.stack(list(inputs)).to(self.model.device, self.model.dtype)
        embeddings = splice(self.before, image_features(self.model, pixel_values), self.after)
        ids = generate(self.model, embeddings, self.settings, records, self.stop_ids, self.pad_id)
        return to_captions(ids, self.tokenizer, self.stop_ids)


def image_features(
    model: LlavaForConditionalGeneration, pixel_values: torch.Tensor
) -> torch.Tensor:
    """(B, 3, H, W) to (B, patches, D of the language model)."""
    features = model.get_image_features(
        pixel_values,
        vision_feature_layer=model.config.vision_feature_layer,
        vision_feature_select_strategy=model.config.vision_feature_select_strategy,
    )
    return torch.stack(list(features.pooler_output))


def load_model(folder: Path, dtype: torch.dtype) -> LlavaForConditionalGeneration:
    """Strictly: every weight found, none left over. Raises `CheckpointError`."""
    config = json.loads((folder / "config.json").read_text())
    if "mm_vision_tower" in config:
        # from_pretrained would read it as a default 7B config and draw the weights at random.
        raise CheckpointError(
            f"{folder} is an original-layout LLaVA checkpoint (liuhaotian):"
            " use the llava-hf layout (llava-hf/llava-1.5-7b-hf)"
        )
    if config.get("model_type") != "llava":
        raise CheckpointError(f"{folder} is a {config.get('model_type')!r} checkpoint, not LLaVA")
    try:
        # Mismatched sizes are let through to be named below; the error would not name them.
        model, info = LlavaForConditionalGeneration.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        raise CheckpointError(f"{folder}: {type(error).__name__}: {error}") from error
    for problem in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        keys = sorted(str(key) for key in info[problem] if not str(key).endswith(IGNORED))
        if keys:
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            raise CheckpointError(
                f"{folder}: {problem.replace('_', ' ')}: {', '.join(keys[:3])}{more}"
            )
    return model


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> Llava:
    if checkpoint is None:
        raise CheckpointError("llava-1.5 needs a checkpoint folder")
    report("reading weights")
    return Llava(Path(checkpoint), settings, device)
