"""Tiny checkpoints of families that put the features of a CLIP or SigLIP into a language model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.engine.captioners.families.hf_truth.making import (
    CLIP,
    CLIP_IMAGES,
    HALVES,
    SIGLIP,
    SIGLIP_IMAGES,
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

LLAVA_TEMPLATE = (
    "{% for m in messages %}{{ m['role'].upper() + ': ' }}"
    "{% for part in m['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}"
    "{% endfor %}{% for part in m['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ part['text'] + ' ' }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
HEADERS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
PINPOINTS = [[56, 112], [112, 56], [112, 112], [168, 56], [56, 168]]
CLIP_PATCHES: Json = {
    "patch_size": 14,
    "image_token": "<image>",
    "vision_feature_select_strategy": "default",
    "num_additional_image_tokens": 1,
}


def vicuna(*special: str, **more: Any) -> Any:
    return tokens("<image>", *special, bos="<s>", eos="</s>", unk="<unk>", add_bos=True, **more)


def ends(tokenizer: Any) -> Json:
    return {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def llama3(*special: str, **more: Any) -> Any:
    return tokens(
        *HEADERS,
        *special,
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
        pad="<|finetune_right_pad_id|>",
        add_bos=True,
        **more,
    )


def llama3_template(image: str) -> str:
    return parts(
        image,
        "{{ bos_token }}<|start_header_id|>user<|end_header_id|>\n\n",
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    )


@family
def llava() -> Tiny:
    made = vicuna()
    return Tiny(
        config=configured(
            "llava",
            text_config=language(made, model_type="llama"),
            vision_config=CLIP,
            image_token_index=ids(made, "<image>")[0],
        ),
        tokenizer=made,
        images=CLIP_IMAGES,
        processor={"processor_class": "LlavaProcessor", **CLIP_PATCHES},
        template=LLAVA_TEMPLATE,
        template_file="chat_template.json",
        generation=ends(made),
    )


@family
def llava_whose_template_begins_with_bos() -> Tiny:
    """JoyCaption: the template has the beginning of text, and the tokenizer adds one."""
    marks = tuple(f"<|reserved_special_token_{number}|>" for number in (69, 70, 71))
    made = llama3(*marks)
    image = marks[1]
    return Tiny(
        config=configured(
            "llava",
            text_config=language(made, model_type="llama"),
            vision_config=SIGLIP,
            image_token_index=ids(made, image)[0],
            vision_feature_layer=-1,
            vision_feature_select_strategy="full",
        ),
        tokenizer=made,
        images=SIGLIP_IMAGES,
        processor={
            "processor_class": "LlavaProcessor",
            "patch_size": 14,
            "image_token": image,
            "vision_feature_select_strategy": "full",
            "num_additional_image_tokens": 0,
        },
        template=llama3_template("".join(marks)),
        generation={"eos_token_id": ids(made, "<|eot_id|>"), "do_sample": True, "top_p": 0.9},
    )


@family
def llava_whose_template_is_for_texts() -> Tiny:
    """JoyCaption as published: the template puts the image before the first text by itself."""
    template = (
        "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}"
        "<|end_header_id|>\n\n<|reserved_special_token_70|>{{ m['content'] | trim }}<|eot_id|>"
        "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant"
        "<|end_header_id|>\n\n{% endif %}"
    )
    return replace(llava_whose_template_begins_with_bos(), template=template, for_texts=True)


@family
def llava_without_template() -> Tiny:
    return replace(llava(), template=None, plain="USER: <image>\nDescribe in English: ASSISTANT:")


@family
def vipllava() -> Tiny:
    made = vicuna()
    return Tiny(
        config=configured(
            "vipllava",
            text_config=language(made, model_type="llama"),
            vision_config=CLIP,
            image_token_index=ids(made, "<image>")[0],
            vision_feature_layers=[-1, -2],
            vision_feature_layer=[-1, -2],
        ),
        tokenizer=made,
        images=CLIP_IMAGES,
        processor={"processor_class": "LlavaProcessor", **CLIP_PATCHES},
        plain="A chat between a curious human and an artificial intelligence assistant. The"
        " assistant gives helpful, detailed, and polite answers to the human's"
        " questions.###Human: <image>\nDescribe in English:###Assistant:",
        generation=ends(made),
    )


@family
def video_llava() -> Tiny:
    made = vicuna("<video>")
    image, video = ids(made, "<image>", "<video>")
    return Tiny(
        config=configured(
            "video_llava",
            text_config=language(made, model_type="llama"),
            vision_config=CLIP,
            image_token_index=image,
            video_token_index=video,
        ),
        tokenizer=made,
        images=CLIP_IMAGES | {"image_processor_type": "VideoLlavaImageProcessor"},
        processor={"processor_class": "VideoLlavaProcessor", **CLIP_PATCHES},
        template=LLAVA_TEMPLATE,
        generation=ends(made),
        files={
            "video_preprocessor_config.json": CLIP_IMAGES
            | {"video_processor_type": "VideoLlavaVideoProcessor"}
        },
    )


@family
def llava_next() -> Tiny:
    made = vicuna()
    return Tiny(
        config=configured(
            "llava_next",
            text_config=language(made, model_type="mistral"),
            vision_config=CLIP,
            image_token_index=ids(made, "<image>")[0],
            image_grid_pinpoints=PINPOINTS,
        ),
        tokenizer=made,
        images=CLIP_IMAGES
        | {
            "image_processor_type": "LlavaNextImageProcessor",
            "image_grid_pinpoints": PINPOINTS,
        },
        processor={"processor_class": "LlavaNextProcessor", **CLIP_PATCHES},
        template=parts("<image>\n", "[INST] ", " [/INST]"),
        template_file="chat_template.json",
    )


@family
def llava_next_video() -> Tiny:
    made = vicuna("<video>")
    image, video = ids(made, "<image>", "<video>")
    return Tiny(
        config=configured(
            "llava_next_video",
            text_config=language(made, model_type="llama"),
            vision_config=CLIP,
            image_token_index=image,
            video_token_index=video,
            image_grid_pinpoints=PINPOINTS,
        ),
        tokenizer=made,
        images=CLIP_IMAGES
        | {
            "image_processor_type": "LlavaNextImageProcessor",
            "image_grid_pinpoints": PINPOINTS,
        },
        processor={
            "processor_class": "LlavaNextVideoProcessor",
            "video_token": "<video>",
            **CLIP_PATCHES,
        },
        template=LLAVA_TEMPLATE,
        generation=ends(made),
        files={
            "video_preprocessor_config.json": CLIP_IMAGES
            | {"video_processor_type": "LlavaNextVideoVideoProcessor"}
        },
    )


@family
def llava_onevision() -> Tiny:
    made = tokens("<image>", "<video>", "<|im_start|>", eos="<|im_end|>", pad="<|endoftext|>")
    image, video = ids(made, "<image>", "<video>")
    pinpoints = [[56, 56], *PINPOINTS]
    return Tiny(
        config=configured(
            "llava_onevision",
            text_config=language(made, model_type="qwen2"),
            vision_config=SIGLIP,
            image_token_index=image,
            video_token_index=video,
            image_grid_pinpoints=pinpoints,
        ),
        tokenizer=made,
        images=SIGLIP_IMAGES
        | {
            "image_processor_type": "LlavaOnevisionImageProcessor",
            "image_grid_pinpoints": pinpoints,
            "do_pad": True,
        },
        processor={
            "processor_class": "LlavaOnevisionProcessor",
            "num_image_tokens": 16,
            "vision_feature_select_strategy": "full",
            "vision_aspect_ratio": "anyres_max_9",
        },
        template=chatml("<image>\n"),
        template_file="chat_template.json",
        files={
            "video_preprocessor_config.json": SIGLIP_IMAGES
            | {"video_processor_type": "LlavaOnevisionVideoProcessor"}
        },
    )


@family
def internvl() -> Tiny:
    marks = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    made = tokens("<|im_start|>", eos="<|im_end|>", pad="<|endoftext|>", named=marks)
    images = {
        "image_processor_type": "GotOcr2ImageProcessorFast",
        "size": SQUARE,
        "crop_to_patches": True,
        "min_patches": 1,
        "max_patches": 4,
    }
    return Tiny(
        config=configured(
            "internvl",
            text_config=language(made, model_type="qwen2"),
            vision_config=without(VISION, "image_size", "patch_size")
            | {"image_size": [56, 56], "patch_size": [14, 14]},
            image_token_id=ids(made, "<IMG_CONTEXT>")[0],
            image_seq_length=4,
        ),
        tokenizer=made,
        images=images,
        processor={"processor_class": "InternVLProcessor", "image_seq_length": 4},
        template=chatml("<IMG_CONTEXT>\n"),
        generation={"eos_token_id": made.eos_token_id},
        files={
            "video_preprocessor_config.json": {
                "video_processor_type": "InternVLVideoProcessor",
                "size": SQUARE,
            }
        },
    )


@family
def aya_vision() -> Tiny:
    return cohere(
        "aya_vision",
        {"processor_class": "AyaVisionProcessor", "patch_size": 28, "img_size": 56},
        vision_feature_layer=-1,
    )


@family
def cohere2_vision() -> Tiny:
    return cohere(
        "cohere2_vision",
        {"processor_class": "Cohere2VisionProcessor"},
        alignment_intermediate_size=64,
    )


def cohere(kind: str, processor: Json, **more: Any) -> Tiny:
    marks = {
        "image_token": "<image>",
        "boi_token": "<|START_OF_IMG|>",
        "eoi_token": "<|END_OF_IMG|>",
        "img_line_break_token": "<|IMG_LINE_BREAK|>",
        "tile_token": "TILE",
        "tile_global_token": "TILE_GLOBAL",
        "img_patch_token": "<|IMG_PATCH|>",
    }
    made = tokens(bos="<BOS>", eos="<|END|>", pad="<PAD>", add_bos=True, named=marks)
    is_aya = kind == "aya_vision"
    token = "<|IMG_PATCH|>" if is_aya else "<image>"
    key = "image_token_index" if is_aya else "image_token_id"
    name = "GotOcr2ImageProcessor" if is_aya else "Cohere2VisionImageProcessor"
    images: Json = {"image_processor_type": name, "size": SQUARE, "patch_size": 2}
    images |= {"crop_to_patches": True, "max_patches": 4}
    return Tiny(
        config=configured(
            kind,
            text_config=language(made, model_type="cohere2", sliding_window=64),
            vision_config=SIGLIP,
            downsample_factor=2,
            **{key: ids(made, token)[0]},
            **more,
        ),
        tokenizer=made,
        images=images | HALVES,
        processor=processor,
        template=parts("<image>", "<BOS><|USER|>", "<|END|><|CHATBOT|>"),
        generation=ends(made),
    )


@family
def deepseek_vl() -> Tiny:
    made = vicuna(named={"image_token": "<image_placeholder>"})
    return Tiny(
        config=configured(
            "deepseek_vl",
            text_config=language(made, model_type="llama"),
            vision_config=SIGLIP,
            image_token_id=ids(made, "<image_placeholder>")[0],
        ),
        tokenizer=made,
        images={
            "image_processor_type": "DeepseekVLImageProcessor",
            "size": SQUARE,
            "min_size": 14,
            **HALVES,
        },
        processor={"processor_class": "DeepseekVLProcessor", "num_image_tokens": 16},
        template=parts("<image_placeholder>", "User: ", "\n\nAssistant:"),
        generation=ends(made),
    )
