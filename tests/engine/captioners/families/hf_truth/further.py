"""Tiny checkpoints of further families, of all kinds."""

from __future__ import annotations

from tests.engine.captioners.families.hf_truth.llava_like import (
    ends,
    vicuna,
)
from tests.engine.captioners.families.hf_truth.making import (
    HALVES,
    SIGLIP,
    SQUARE,
    VISION,
    Json,
    Tiny,
    chatml,
    configured,
    family,
    ids,
    language,
    parts,
    tokens,
    without,
)
from tests.engine.captioners.families.hf_truth.qwen_like import (
    IMAGE,
    PAD,
    WINDOWED,
    qwen_generation,
    qwen_images,
    qwen_tokens,
    rope,
)
from tests.engine.captioners.families.hf_truth.truth import PROMPT


@family
def exaone4_5() -> Tiny:
    made = qwen_tokens()
    image, video = ids(made, PAD, "<|video_pad|>")
    return Tiny(
        config=configured(
            "exaone4_5",
            text_config=without(language(made), "head_dim")
            | {"model_type": "exaone4", "sliding_window": 64}
            | {"layer_types": ["sliding_attention", "full_attention"]},
            vision_config=WINDOWED | {"depth": 2, "patch_size": 14, "num_key_value_heads": 1},
            image_token_id=image,
            video_token_id=video,
        ),
        tokenizer=made,
        images=qwen_images(14) | {"processor_class": "Exaone4_5_Processor"},
        template=chatml(IMAGE),
        generation=qwen_generation(made),
    )


@family
def hyperclovax_vision_v2() -> Tiny:
    made = qwen_tokens()
    image, video = ids(made, PAD, "<|video_pad|>")
    return Tiny(
        config=configured(
            "hyperclovax_vision_v2",
            text_config=language(made),
            vision_config=WINDOWED | {"depth": 2, "patch_size": 14},
            image_token_id=image,
            video_token_id=video,
        ),
        tokenizer=made,
        images=qwen_images(14) | {"processor_class": "HyperCLOVAXVisionV2Processor"},
        template=chatml(IMAGE),
        generation=qwen_generation(made),
    )


@family
def deepseek_vl_hybrid() -> Tiny:
    made = vicuna(named={"image_token": "<image_placeholder>"})
    return Tiny(
        config=configured(
            "deepseek_vl_hybrid",
            text_config=language(made, model_type="llama"),
            vision_config=SIGLIP,
            high_res_vision_config={
                "model_type": "sam_vision_model",
                "hidden_size": 32,
                "output_channels": 16,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "image_size": 128,
                "patch_size": 16,
                "window_size": 4,
                "global_attn_indexes": [1],
                "num_pos_feats": 16,
                "mlp_dim": 48,
                "scale": 8,
            },
            image_token_id=ids(made, "<image_placeholder>")[0],
        ),
        tokenizer=made,
        images={
            "image_processor_type": "DeepseekVLHybridImageProcessor",
            "size": SQUARE,
            "high_res_size": {"height": 128, "width": 128},
            "min_size": 14,
            **HALVES,
        },
        processor={"processor_class": "DeepseekVLHybridProcessor", "num_image_tokens": 16},
        template=parts("<image_placeholder>", "User: ", "\n\nAssistant:"),
        generation=ends(made),
    )


@family
def ernie4_5_vl_moe() -> Tiny:
    marks = {
        "image_token": "<|IMAGE_PLACEHOLDER|>",
        "image_start_token": "<|IMAGE_START|>",
        "image_end_token": "<|IMAGE_END|>",
        "video_token": "<|VIDEO_PLACEHOLDER|>",
        "video_start_token": "<|VIDEO_START|>",
        "video_end_token": "<|VIDEO_END|>",
    }
    made = tokens(bos="<s>", eos="</s>", unk="<unk>", named=marks)
    numbers = {f"{name}_id": ids(made, mark)[0] for name, mark in marks.items()}
    text = without(language(made), "head_dim") | {
        "moe_intermediate_size": [24, 24],
        "moe_k": 2,
        "moe_num_experts": 4,
        "moe_num_shared_experts": 1,
        "mlp_layer_types": ["dense", "sparse"],
        "rope_parameters": rope(mrope_section=[2, 2, 2], rope_theta=500000.0),
    }
    images: Json = {
        "image_processor_type": "Ernie4_5_VLMoeImageProcessor",
        "patch_size": 14,
        "merge_size": 2,
        "size": {"shortest_edge": 28 * 28 * 4, "longest_edge": 28 * 28 * 30},
    }
    return Tiny(
        config=configured(
            "ernie4_5_vl_moe",
            text_config=text,
            vision_config={
                "depth": 2,
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_heads": 2,
                "patch_size": 14,
            },
            **numbers,
        ),
        tokenizer=made,
        images=images,
        processor={"processor_class": "Ernie4_5_VLMoeProcessor"},
        template=parts(
            "<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>", "<s>User: ", "\nAssistant: "
        ),
        generation=ends(made),
    )


@family
def t5gemma2() -> Tiny:
    marks = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    made = tokens(bos="<bos>", eos="<eos>", unk="<unk>", add_bos=True, named=marks)
    image, first, last = ids(made, "<image_soft_token>", "<start_of_image>", "<end_of_image>")
    text = language(made) | {
        "sliding_window": 64,
        "layer_types": ["sliding_attention", "full_attention"],
        "query_pre_attn_scalar": 12,
        **ends(made),
    }
    return Tiny(
        config=configured(
            "t5gemma2",
            encoder={
                "text_config": text,
                "vision_config": SIGLIP,
                "mm_tokens_per_image": 4,
                "boi_token_index": first,
                "eoi_token_index": last,
                "image_token_index": image,
            },
            decoder=text,
            image_token_index=image,
            eoi_token_index=last,
            dropout_rate=0.0,
        ),
        tokenizer=made,
        images={
            "image_processor_type": "Gemma3ImageProcessor",
            "size": SQUARE,
            "image_seq_length": 4,
            **HALVES,
        },
        processor={"processor_class": "Gemma3Processor", "image_seq_length": 4},
        template=parts("<start_of_image>", "{{ bos_token }}user\n", "\nmodel\n"),
        generation=ends(made) | {"decoder_start_token_id": made.bos_token_id},
        loud="post_",
    )


@family
def gemma4() -> Tiny:
    marks = {
        "boi_token": "<|image>",
        "eoi_token": "<image|>",
        "image_token": "<|image|>",
        "boa_token": "<|audio>",
        "eoa_token": "<audio|>",
        "audio_token": "<|audio|>",
    }
    made = tokens("<|video|>", bos="<bos>", eos="<eos>", unk="<unk>", add_bos=True, named=marks)
    numbers = ids(made, "<|image|>", "<|image>", "<image|>", "<|video|>")
    return Tiny(
        config=configured(
            "gemma4",
            text_config=language(
                made,
                sliding_window=64,
                layer_types=["sliding_attention", "full_attention"],
                hidden_size_per_layer_input=8,
                vocab_size_per_layer_input=len(made),
                per_layer_config={"01": {"head_dim": 12}},
            ),
            vision_config={
                "model_type": "gemma4_vision",
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
                "head_dim": 16,
                "patch_size": 16,
            },
            image_token_id=numbers[0],
            boi_token_id=numbers[1],
            eoi_token_id=numbers[2],
            video_token_id=numbers[3],
        ),
        tokenizer=made,
        images={"image_processor_type": "Gemma4ImageProcessor", "max_soft_tokens": 70},
        processor={"processor_class": "Gemma4Processor"},
        template=parts("<|image|>", "<bos><|turn>user\n", "<turn|>\n<|turn>model\n"),
        generation=ends(made),
        loud="post_",
    )


@family
def ovis2() -> Tiny:
    indicators = [f"<IMG_{name}>" for name in ("START", "END", "GRID", "COL", "ROW")]
    made = tokens(
        "<image>", "<IMG_ATOM>", *indicators, "<|im_start|>", eos="<|im_end|>", pad="<|endoftext|>"
    )
    return Tiny(
        config=configured(
            "ovis2",
            text_config=language(made, model_type="qwen2"),
            vision_config=VISION | {"vocab_size": 40, "hidden_stride": 2},
            image_token_id=ids(made, "<IMG_ATOM>")[0],
            visual_indicator_token_ids=ids(made, *indicators),
            vocab_size=len(made),
            hidden_size=48,
        ),
        tokenizer=made,
        images={
            "image_processor_type": "Ovis2ImageProcessor",
            "size": SQUARE,
            "crop_to_patches": True,
            "max_patches": 4,
            **HALVES,
        },
        processor={"processor_class": "Ovis2Processor", "image_seq_length": 4},
        template=chatml("<image>\n"),
        generation={"eos_token_id": made.eos_token_id},
    )


@family
def emu3() -> Tiny:
    codes = [f"<|visual token {number:06}|>" for number in range(16)]
    marks = {
        "image_token": "<image>",
        "boi_token": "<|image start|>",
        "eoi_token": "<|image end|>",
        "image_wrapper_token": "<|image token|>",
        "eof_token": "<|extra_201|>",
    }
    made = tokens(*codes, "<|extra_200|>", bos="<|extra_203|>", eos="<|extra_204|>", named=marks)
    vocabulary = {it: ids(made, it)[0] for it in [*codes, "<|extra_200|>", "<image>"]}
    return Tiny(
        config=configured(
            "emu3",
            text_config=without(language(made), "head_dim") | {"pad_token_id": made.pad_token_id},
            vq_config={
                "codebook_size": 16,
                "embed_dim": 4,
                "latent_channels": 4,
                "base_channels": 32,
                "channel_multiplier": [1, 1, 1, 1],
                "num_res_blocks": 1,
                "attn_resolutions": [],
                "hidden_size": 32,
                "num_attention_heads": 1,
            },
            vocabulary_map=vocabulary,
            image_token_id=ids(made, "<image>")[0],
        ),
        tokenizer=made,
        images={
            "image_processor_type": "Emu3ImageProcessor",
            "min_pixels": 64 * 64,
            "max_pixels": 96 * 96,
            "spatial_factor": 8,
        },
        processor={"processor_class": "Emu3Processor"},
        template=parts("<image>", "{{ bos_token }} USER: ", " ASSISTANT:"),
        generation={"eos_token_id": made.eos_token_id, "bos_token_id": made.bos_token_id},
    )


@family
def chameleon() -> Tiny:
    codes = [f"IMGIMG{tens}{ones}Z" for tens in "AB" for ones in "ABCDEFGH"]
    marks = {"image_token": "<image>", "boi_token": "<racm3:break>", "eoi_token": "<eoss>"}
    made = tokens(*codes, bos="<s>", eos="</s>", unk="<unk>", add_bos=True, named=marks)
    vocabulary = {it: ids(made, it)[0] for it in [*codes, "<image>"]}
    return Tiny(
        config=configured(
            "chameleon",
            vq_config={
                "embed_dim": 8,
                "num_embeddings": 16,
                "latent_channels": 8,
                "resolution": 32,
                "base_channels": 32,
                "channel_multiplier": [1, 1],
                "num_res_blocks": 1,
            },
            vocabulary_map=vocabulary,
            image_token_id=ids(made, "<image>")[0],
            **language(made),
        ),
        tokenizer=made,
        images={
            "image_processor_type": "ChameleonImageProcessor",
            "size": {"shortest_edge": 32},
            "crop_size": {"height": 32, "width": 32},
        },
        processor={"processor_class": "ChameleonProcessor", "image_seq_length": 256},
        plain=f"{PROMPT}<image>",
        generation=ends(made),
    )
