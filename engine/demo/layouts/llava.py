"""The demo LLaVA: LLaVA-1.5's parts in the llava-hf layout, 1.2 million parameters.

They are a ViT, of which the last layer but one is used without its class token, a two-layer
projector and a Llama decoder. An image has 64 patches of 12 x 12 pixels; the vocabulary has whole
words and single bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from engine.captioners.checkpoints.assembly import recipe_by_rules, rename_keys
from engine.captioners.config_files import read_json
from engine.captioners.families.llava import HF_NEWER_RULES, LlavaModel, recognise_layout
from engine.captioners.registry import FAMILIES
from engine.demo.layouts.parts import to_float16, weights_by_key

WEIGHTS = "model.safetensors"
SIDE = 96
"""Side of the image in pixels."""
PATCH = 12
"""Side of a patch in pixels."""
PATCHES = (SIDE // PATCH) ** 2
SPECIAL = ("<unk>", "<s>", "</s>", "<pad>", "<image>")
"""The special tokens, in the order of their ids."""
UNK, BOS, EOS, PAD, IMAGE = range(len(SPECIAL))


def build_tokenizer(corpus: Iterable[str]) -> PreTrainedTokenizerFast:
    """Return a tokenizer whose tokens are the words of the corpus and, for other text, bytes."""
    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = {word for text in corpus for word, _ in by_bytes.pre_tokenize_str(text)}
    alphabet = set(by_bytes.alphabet())
    # Unigram splits a text in the likeliest way: into a word rather than into its bytes.
    pieces = [
        *((token, 0.0) for token in SPECIAL),
        *((byte, -9.0) for byte in sorted(alphabet)),
        *((word, -1.0) for word in sorted(words - alphabet)),
    ]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=UNK))
    tokenizer.pre_tokenizer = by_bytes
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", BOS)]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",  # noqa: S106
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        extra_special_tokens={"image_token": "<image>"},
        padding_side="left",
        model_max_length=256,
        clean_up_tokenization_spaces=False,
    )


def build_image_processor() -> CLIPImageProcessorPil:
    """Return LLaVA-1.5's processor: shortest edge, centre crop, CLIP's mean and std."""
    size = {"height": SIDE, "width": SIDE}
    return CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=size)


def build_model(vocabulary_size: int) -> LlavaForConditionalGeneration:
    vision = CLIPVisionConfig(
        hidden_size=128,
        intermediate_size=256,
        projection_dim=128,
        # The last layer is never used (vision_feature_layer -2), as in LLaVA-1.5.
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=PATCH,
    )
    text = LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=128,
        intermediate_size=288,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=256,
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=PAD,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=IMAGE,
        image_seq_length=PATCHES,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=PAD,
    )
    return LlavaForConditionalGeneration(config)


def write_untrained(folder: Path, corpus: Iterable[str]) -> None:
    """Write all files of a llava-hf checkpoint, with untrained weights."""
    folder.mkdir(parents=True, exist_ok=True)
    prompt = FAMILIES["llava-1.5"].presets["paper"].prompt
    tokenizer = build_tokenizer([*corpus, *prompt.split("<image>")])
    model = build_model(len(tokenizer))
    model.generation_config = GenerationConfig(bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    images = build_image_processor()
    images.save_pretrained(folder)
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        image_token="<image>",  # noqa: S106
        num_additional_image_tokens=1,
    )
    settings = processor.to_dict()
    for part in ("image_processor", "tokenizer", "feature_extractor"):
        settings.pop(part, None)
    text = json.dumps(settings, indent=2, sort_keys=True, default=str)
    (folder / "processor_config.json").write_text(text + "\n")


def save_trained(model: LlavaModel, folder: Path) -> None:
    """Replace the weights of a checkpoint by the trained ones, in float16, by the published keys.

    The last layer of the vision tower is never used and stays as it was drawn.
    """
    config = read_json(folder / "config.json")
    trained = weights_by_key(model, recipe_by_rules(recognise_layout(folder, config).rules))
    # `save_pretrained` writes other keys than those of the published files.
    stored = rename_keys(load_file(folder / WEIGHTS), HF_NEWER_RULES) | trained
    save_file(to_float16(stored), folder / WEIGHTS, metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}, indent=2) + "\n")
