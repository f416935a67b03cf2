"""Tiny checkpoints of families without a chat template, each asked as its documentation does."""

from __future__ import annotations

from typing import Any

from transformers import GPT2Config, VisionEncoderDecoderConfig, ViTConfig

from tests.engine.captioners.families.hf_truth.llava_like import ends
from tests.engine.captioners.families.hf_truth.making import (
    CLIP_IMAGES,
    SIGLIP,
    SIGLIP_IMAGES,
    SQUARE,
    VISION,
    Json,
    Tiny,
    configured,
    family,
    ids,
    language,
    tokens,
)
from tests.engine.captioners.families.hf_truth.truth import PROMPT

BLIP_IMAGES: Json = {"image_processor_type": "BlipImageProcessor", "size": SQUARE}
SMALL: Json = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
QFORMER: Json = SMALL | {"encoder_hidden_size": 32}


def bert(*special: str) -> Any:
    return tokens(
        "[MASK]",
        *special,
        bos="[CLS]",
        eos="[SEP]",
        pad="[PAD]",
        unk="[UNK]",
        add_bos=True,
        add_eos=True,
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


@family
def blip() -> Tiny:
    made = bert("[DEC]", "[ENC]")
    text = SMALL | {
        "vocab_size": len(made),
        "encoder_hidden_size": 32,
        "projection_dim": 32,
        "max_position_embeddings": 128,
        "bos_token_id": ids(made, "[DEC]")[0],
        "pad_token_id": made.pad_token_id,
        "eos_token_id": made.sep_token_id,
        "sep_token_id": made.sep_token_id,
        "hidden_dropout_prob": 0,
        "is_decoder": True,
    }
    return Tiny(
        config=configured("blip", text_config=text, vision_config=VISION | {"projection_dim": 32}),
        tokenizer=made,
        images=BLIP_IMAGES | {"processor_class": "BlipProcessor"},
    )


def blip2(text: Json, made: Any, generation: Json, plain: str | None) -> Tiny:
    return Tiny(
        config=configured(
            "blip-2",
            vision_config=VISION,
            qformer_config=QFORMER,
            text_config=text,
            num_query_tokens=4,
            image_token_index=ids(made, "<image>")[0],
        ),
        tokenizer=made,
        images=BLIP_IMAGES | {"processor_class": "Blip2Processor"},
        processor={"processor_class": "Blip2Processor", "num_query_tokens": 4},
        plain=plain,
        generation=generation,
    )


def opt(made: Any) -> Json:
    return {
        "model_type": "opt",
        "vocab_size": len(made),
        "hidden_size": 32,
        "ffn_dim": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "word_embed_proj_dim": 32,
        "max_position_embeddings": 512,
        **ends(made),
    }


def t5(made: Any) -> Json:
    return {
        "model_type": "t5",
        "vocab_size": len(made),
        "d_model": 32,
        "d_ff": 48,
        "d_kv": 16,
        "num_layers": 2,
        "num_decoder_layers": 2,
        "num_heads": 2,
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
        "eos_token_id": made.eos_token_id,
    }


T5_GENERATION: Json = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}


@family
def blip2_opt() -> Tiny:
    made = tokens("<image>", bos="<s>", eos="</s>", add_bos=True)
    line = made("\n", add_special_tokens=False).input_ids[0]
    return blip2(opt(made), made, ends(made) | {"eos_token_id": line}, None)


@family
def blip2_t5() -> Tiny:
    made = tokens("<image>", eos="</s>", unk="<unk>", add_eos=True)
    return blip2(t5(made), made, T5_GENERATION, PROMPT)


@family
def instructblip() -> Tiny:
    """Its second tokenizer, the Q-Former's, lies in a folder of its own in published copies."""
    made = tokens("<image>", eos="</s>", unk="<unk>", add_eos=True)
    return Tiny(
        config=configured(
            "instructblip",
            vision_config=VISION,
            qformer_config=QFORMER | {"vocab_size": len(made)},
            text_config=t5(made),
            num_query_tokens=4,
            image_token_index=ids(made, "<image>")[0],
        ),
        tokenizer=made,
        images=BLIP_IMAGES | {"processor_class": "InstructBlipProcessor"},
        processor={"processor_class": "InstructBlipProcessor", "num_query_tokens": 4},
        plain=PROMPT,
        generation=T5_GENERATION,
    )


@family
def git() -> Tiny:
    made = bert()
    return Tiny(
        config=configured(
            "git",
            vision_config=VISION,
            vocab_size=len(made),
            max_position_embeddings=256,
            bos_token_id=made.cls_token_id,
            eos_token_id=made.sep_token_id,
            pad_token_id=made.pad_token_id,
            **SMALL,
        ),
        tokenizer=made,
        images=CLIP_IMAGES | {"processor_class": "GitProcessor"},
        generation=ends(made),
    )


@family
def florence2() -> Tiny:
    made = tokens(
        *(f"<loc_{number}>" for number in range(9)),
        bos="<s>",
        eos="</s>",
        unk="<unk>",
        add_bos=True,
        add_eos=True,
        cls_token="<s>",
        sep_token="</s>",
        named={"image_token": "<image>"},
    )
    text: Json = {
        "model_type": "bart",
        "vocab_size": len(made),
        "d_model": 32,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "max_position_embeddings": 512,
        "dropout": 0,
        "decoder_start_token_id": made.eos_token_id,
        **ends(made),
    }
    square = {"height": 64, "width": 64}
    return Tiny(
        config=configured(
            "florence2",
            vision_config={
                "depths": [1, 1],
                "patch_size": [7, 3],
                "patch_stride": [4, 2],
                "patch_padding": [3, 1],
                "patch_prenorm": [False, True],
                "embed_dim": [16, 32],
                "num_heads": [2, 2],
                "num_groups": [2, 2],
                "window_size": 4,
                "projection_dim": 32,
            },
            text_config=text,
            image_token_id=ids(made, "<image>")[0],
        ),
        tokenizer=made,
        images=CLIP_IMAGES
        | {"size": square, "crop_size": square, "do_center_crop": False}
        | {"processor_class": "Florence2Processor", "image_seq_length": 65},
        processor={"processor_class": "Florence2Processor"},
        plain="<CAPTION>",
        generation=ends(made)
        | {
            "decoder_start_token_id": made.eos_token_id,
            "forced_bos_token_id": made.bos_token_id,
            "no_repeat_ngram_size": 3,
            "num_beams": 3,
        },
    )


@family
def paligemma() -> Tiny:
    made = tokens(
        bos="<bos>", eos="<eos>", unk="<unk>", add_bos=True, named={"image_token": "<image>"}
    )
    # The processor adds 1,152 tokens for places and segments.
    text = language(
        made,
        model_type="gemma2",
        vocab_size=len(made) + 1200,
        sliding_window=64,
        query_pre_attn_scalar=12,
    )
    return Tiny(
        config=configured(
            "paligemma",
            text_config=text,
            vision_config=SIGLIP | {"projection_dim": 48},
            image_token_index=ids(made, "<image>")[0],
            projection_dim=48,
            hidden_size=48,
            pad_token_id=made.pad_token_id,
        ),
        tokenizer=made,
        images=SIGLIP_IMAGES | {"processor_class": "PaliGemmaProcessor", "image_seq_length": 16},
        plain="<image>caption en",
        generation=ends(made),
        loud="post_",
    )


@family
def vit_gpt2() -> Tiny:
    """A bare image processor and a bare tokenizer, which no processor joins."""
    end = "<|endoftext|>"
    made = tokens(bos=end, eos=end, pad=end)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        ViTConfig(**VISION),
        GPT2Config(
            vocab_size=len(made),
            n_embd=32,
            n_layer=2,
            n_head=2,
            n_positions=256,
            add_cross_attention=True,
            is_decoder=True,
            bos_token_id=made.eos_token_id,
            eos_token_id=made.eos_token_id,
        ),
    )
    config.decoder_start_token_id = config.pad_token_id = made.eos_token_id
    config.eos_token_id = made.eos_token_id
    return Tiny(
        config=config,
        tokenizer=made,
        images={"image_processor_type": "ViTImageProcessor", "size": SQUARE},
        generation=ends(made) | {"decoder_start_token_id": made.eos_token_id},
    )


@family
def idefics() -> Tiny:
    made = tokens(
        *("<fake_token_around_image>", "<image>", "<end_of_utterance>"),
        bos="<s>",
        eos="</s>",
        unk="<unk>",
        add_bos=True,
    )
    return Tiny(
        config=configured(
            "idefics",
            vocab_size=len(made),
            additional_vocab_size=0,
            hidden_size=48,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            vision_config=VISION | {"embed_dim": 32},
            alpha_initializer="ones",
            **ends(made),
        ),
        tokenizer=made,
        images={"image_processor_type": "IdeficsImageProcessor", "image_size": 56},
        processor={"processor_class": "IdeficsProcessor", "image_size": 56},
        plain=("User:", f"{PROMPT}\nAssistant:"),
        generation=ends(made),
    )


@family
def kosmos_2() -> Tiny:
    made = tokens(bos="<s>", eos="</s>", unk="<unk>", add_bos=True, add_eos=True)
    text: Json = {
        "vocab_size": len(made) + 1100,
        "max_position_embeddings": 512,
        "embed_dim": 32,
        "layers": 2,
        "ffn_dim": 48,
        "attention_heads": 2,
        "dropout": 0,
        "activation_dropout": 0,
        **ends(made),
    }
    return Tiny(
        config=configured("kosmos-2", text_config=text, vision_config=VISION, latent_query_num=64),
        tokenizer=made,
        images=CLIP_IMAGES | {"processor_class": "Kosmos2Processor"},
        processor={"processor_class": "Kosmos2Processor", "num_patch_index_tokens": 1024},
        plain="<grounding>An image of",
        generation=ends(made),
    )


@family
def pix2struct() -> Tiny:
    made = tokens(eos="</s>", unk="<unk>", add_eos=True)
    text: Json = {
        "vocab_size": len(made),
        "hidden_size": 32,
        "d_kv": 16,
        "d_ff": 48,
        "num_layers": 2,
        "num_heads": 2,
        "eos_token_id": made.eos_token_id,
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
    }
    vision: Json = {
        "hidden_size": 32,
        "patch_embed_hidden_size": 768,
        "d_ff": 48,
        "d_kv": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "seq_len": 2048,
    }
    return Tiny(
        config=configured("pix2struct", text_config=text, vision_config=vision),
        tokenizer=made,
        images={"image_processor_type": "Pix2StructImageProcessor", "max_patches": 32}
        | {"processor_class": "Pix2StructProcessor"},
        generation=T5_GENERATION,
    )
