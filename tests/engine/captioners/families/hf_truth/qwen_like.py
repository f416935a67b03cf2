"""Tiny checkpoints of families that read images of any size: Qwen-VL's heirs, GLM, Pixtral."""

from __future__ import annotations

from typing import Any

from tests.engine.captioners.families.hf_truth.making import (
    HALVES,
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

PAD = "<|image_pad|>"
IMAGE = f"<|vision_start|>{PAD}<|vision_end|>"
THINKING = (
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% else %}<think>\n{% endif %}"
)


def rope(**more: Any) -> Json:
    return {"rope_type": "default", "rope_theta": 10000.0} | more


def qwen_tokens() -> Any:
    return tokens(
        *("<|im_start|>", "<|vision_start|>", "<|vision_end|>", PAD, "<|video_pad|>"),
        *("<think>", "</think>"),
        eos="<|im_end|>",
        pad="<|endoftext|>",
    )


def qwen_ids(made: Any) -> Json:
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    marks = (PAD, "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    return dict(zip(names, ids(made, *marks), strict=True))


def qwen_images(patch: int) -> Json:
    side = 2 * patch
    return {
        "image_processor_type": "Qwen2VLImageProcessor",
        "patch_size": patch,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "min_pixels": side * side * 4,
        "max_pixels": side * side * 30,
    }


def qwen_generation(made: Any) -> Json:
    return {
        "do_sample": True,
        "temperature": 0.1,
        "eos_token_id": [made.eos_token_id, made.pad_token_id],
        "pad_token_id": made.pad_token_id,
    }


def qwen2(kind: str, processor: str, vision: Json, **generation: Any) -> Tiny:
    made = qwen_tokens()
    text = without(language(made, rope_parameters=rope(mrope_section=[1, 2, 3])), "head_dim")
    return Tiny(
        config=configured(
            kind,
            text_config=text,
            vision_config=vision | {"depth": 2, "patch_size": 14},
            **qwen_ids(made),
        ),
        tokenizer=made,
        images=qwen_images(14) | {"processor_class": processor},
        template=chatml(IMAGE, "You are a helpful assistant."),
        template_file="chat_template.json",
        generation=qwen_generation(made) | generation,
    )


@family
def qwen2_vl() -> Tiny:
    vision = {"embed_dim": 32, "hidden_size": 48, "num_heads": 2, "mlp_ratio": 2}
    return qwen2("qwen2_vl", "Qwen2VLProcessor", vision)


WINDOWED: Json = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "out_hidden_size": 48,
    "fullatt_block_indexes": [1],
}


@family
def qwen2_5_vl() -> Tiny:
    """With a repetition penalty, which counts the padding of a batch as well."""
    return qwen2("qwen2_5_vl", "Qwen2_5_VLProcessor", WINDOWED, repetition_penalty=1.3)


def qwen3(kind: str, answer: str = "", text: Json | None = None, section: Any = (2, 2, 2)) -> Tiny:
    made = qwen_tokens()
    rotary = rope(mrope_section=list(section), mrope_interleaved=True)
    vision: Json = {
        "depth": 3,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": 48,
        "num_position_embeddings": 64,
        "patch_size": 16,
    }
    if kind.startswith("qwen3_vl"):
        vision["deepstack_visual_indexes"] = [0, 1]
    images = qwen_images(16) | {"processor_class": "Qwen3VLProcessor"} | HALVES
    return Tiny(
        config=configured(
            kind,
            text_config=language(made, rope_parameters=rotary) | (text or {}),
            vision_config=vision,
            **qwen_ids(made),
        ),
        tokenizer=made,
        images=images,
        template=chatml(IMAGE, answer=answer),
        generation=qwen_generation(made),
        files={
            "video_preprocessor_config.json": images
            | {"video_processor_type": "Qwen3VLVideoProcessor"}
        },
    )


EXPERTS: Json = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
LINEAR: Json = {
    "head_dim": 16,
    "layer_types": ["linear_attention", "full_attention"],
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "rope_parameters": rope(
        mrope_section=[2, 1, 1], mrope_interleaved=True, partial_rotary_factor=0.5
    ),
}


@family
def qwen3_vl() -> Tiny:
    return qwen3("qwen3_vl")


@family
def qwen3_vl_moe() -> Tiny:
    return qwen3("qwen3_vl_moe", "<think>\n", EXPERTS)


@family
def qwen3_5() -> Tiny:
    return qwen3("qwen3_5", THINKING, LINEAR)


@family
def qwen3_5_moe() -> Tiny:
    more = EXPERTS | {"shared_expert_intermediate_size": 24}
    return qwen3("qwen3_5_moe", THINKING, LINEAR | more)


GLM_MARKS = (
    *("[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|begin_of_image|>", "<|image|>"),
    *("<|end_of_image|>", "<|begin_of_video|>", "<|video|>", "<|end_of_video|>"),
)


def glm(kind: str, processor: str, images: str, video: str, text: Json, vision: Json) -> Tiny:
    made = tokens(*GLM_MARKS, eos="<|endoftext|>", pad="<|endoftext|>")
    marks = ids(made, *GLM_MARKS)
    names = ("image_start", "image", "image_end", "video_start", "video", "video_end")
    rotary = rope(mrope_section=[2, 2, 2], partial_rotary_factor=1.0)
    preprocessing: Json = {
        "image_processor_type": images,
        "processor_class": processor,
        "size": {"shortest_edge": 28 * 28 * 8, "longest_edge": 28 * 28 * 60},
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
    }
    base = without(language(made, rope_parameters=rotary), "head_dim")
    return Tiny(
        config=configured(
            kind,
            text_config=base | text,
            vision_config={
                "depth": 2,
                "hidden_size": 32,
                "intermediate_size": 96,
                "out_hidden_size": 48,
                "num_heads": 2,
                "image_size": 56,
                "patch_size": 14,
            }
            | vision,
            **{f"{name}_token_id": marks[4 + n] for n, name in enumerate(names)},
        ),
        tokenizer=made,
        images=preprocessing,
        template=parts(
            "<|begin_of_image|><|image|><|end_of_image|>",
            "[gMASK]<sop>\n<|user|>\n",
            "<|assistant|>\n",
        ),
        generation={"eos_token_id": ids(made, "<|endoftext|>", "<|user|>"), "do_sample": True},
        files={"video_preprocessor_config.json": preprocessing | {"video_processor_type": video}},
    )


GLM_MOE: Json = {
    "moe_intermediate_size": 24,
    "num_experts_per_tok": 2,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
}
GLM4V = ("Glm4vProcessor", "Glm4vImageProcessor", "Glm4vVideoProcessor")
GLM46V = ("Glm46VProcessor", "Glm46VImageProcessor", "Glm46VVideoProcessor")


@family
def glm4v() -> Tiny:
    return glm("glm4v", *GLM4V, {}, {})


@family
def glm4v_moe() -> Tiny:
    return glm("glm4v_moe", *GLM4V, GLM_MOE, {})


@family
def glm46v() -> Tiny:
    return glm("glm46v", *GLM46V, {"model_type": "glm4v_text"}, {"model_type": "glm4v_vision"})


@family
def mistral3() -> Tiny:
    """Its tokenizer adds the beginning of text, which the template has as well."""
    made = tokens(
        *("[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]"),
        bos="<s>",
        eos="</s>",
        unk="<unk>",
        add_bos=True,
    )
    images: Json = {
        "image_processor_type": "PixtralImageProcessor",
        "patch_size": 14,
        "size": {"longest_edge": 168},
        "processor_class": "PixtralProcessor",
    }
    return Tiny(
        config=configured(
            "mistral3",
            text_config=language(made, model_type="mistral"),
            vision_config=VISION | {"model_type": "pixtral", "image_size": 168, "head_dim": 16},
            image_token_index=ids(made, "[IMG]")[0],
            spatial_merge_size=2,
        ),
        tokenizer=made,
        images=images,
        processor={
            "processor_class": "PixtralProcessor",
            "patch_size": 14,
            "spatial_merge_size": 2,
            "image_token": "[IMG]",
            "image_break_token": "[IMG_BREAK]",
            "image_end_token": "[IMG_END]",
        },
        template=parts("[IMG]", "<s>[INST]", "[/INST]"),
        generation={"eos_token_id": made.eos_token_id, "bos_token_id": made.bos_token_id},
    )


@family
def lfm2_vl() -> Tiny:
    marks = {
        "image_token": "<image>",
        "image_start_token": "<|image_start|>",
        "image_end_token": "<|image_end|>",
        "image_thumbnail": "<|img_thumbnail|>",
    }
    made = tokens(
        "<|im_start|>",
        bos="<|startoftext|>",
        eos="<|im_end|>",
        pad="<|pad|>",
        add_bos=True,
        named=marks,
    )
    text = without(language(made, model_type="lfm2"), "head_dim") | {
        "layer_types": ["conv", "full_attention"],
        "full_attn_idxs": [1],
        "block_multiple_of": 16,
    }
    return Tiny(
        config=configured(
            "lfm2_vl",
            text_config=text,
            vision_config=without(VISION, "image_size")
            | {
                "model_type": "siglip2_vision_model",
                "patch_size": 16,
                "num_patches": 256,
                "vision_use_head": False,
            },
            image_token_id=ids(made, "<image>")[0],
            downsample_factor=2,
            projector_hidden_size=48,
        ),
        tokenizer=made,
        images={
            "image_processor_type": "Lfm2VlImageProcessor",
            "tile_size": 64,
            "max_tiles": 4,
            "min_tiles": 2,
            "min_image_tokens": 4,
            "max_image_tokens": 16,
            "encoder_patch_size": 16,
            "max_num_patches": 256,
            "downsample_factor": 2,
            "do_image_splitting": True,
            **HALVES,
        },
        processor={"processor_class": "Lfm2VlProcessor"},
        template=parts("<image>", "{{ bos_token }}<|im_start|>user\n", "<|im_end|>\nassistant\n"),
        generation={"eos_token_id": made.eos_token_id, "bos_token_id": made.bos_token_id},
    )


@family
def video_llama_3() -> Tiny:
    marks = {"image_token": "<image>", "video_token": "<video>"}
    made = tokens("<|im_start|>", eos="<|im_end|>", pad="<|endoftext|>", named=marks)
    image, video = ids(made, "<image>", "<video>")
    images: Json = {
        "image_processor_type": "VideoLlama3ImageProcessor",
        "patch_size": 14,
        "merge_size": 1,
        "min_pixels": 28 * 28,
        "max_pixels": 28 * 28 * 20,
        **HALVES,
    }
    return Tiny(
        config=configured(
            "video_llama_3",
            text_config=language(made, model_type="qwen2"),
            vision_config=without(VISION, "image_size"),
            image_token_id=image,
            video_token_id=video,
        ),
        tokenizer=made,
        images=images,
        processor={"processor_class": "VideoLlama3Processor"},
        template=chatml("<image>\n"),
        generation={"eos_token_id": made.eos_token_id},
        files={
            "video_preprocessor_config.json": images
            | {"video_processor_type": "VideoLlama3VideoProcessor"}
        },
    )
