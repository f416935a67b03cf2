"""Tiny checkpoints of further families that are asked by a chat template."""

from __future__ import annotations

from typing import Any

from tests.engine.captioners.families.hf_truth.llava_like import ends, llama3, llama3_template
from tests.engine.captioners.families.hf_truth.making import (
    HALVES,
    SIGLIP,
    SQUARE,
    VISION,
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

SMOL_TEMPLATE = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}"
    "{% if m['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in m['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
ROWS = tuple(f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5))
AROUND = "<fake_token_around_image>"


def smol_tokens() -> Any:
    marks = {
        "image_token": "<image>",
        "fake_image_token": AROUND,
        "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>",
    }
    return tokens(
        *ROWS,
        bos="<|im_start|>",
        eos="<end_of_utterance>",
        pad="<|im_end|>",
        unk="<|endoftext|>",
        named=marks,
    )


def tiled(kind: str, name: str) -> Tiny:
    """SmolVLM and Idefics 3, which cut an image into tiles."""
    made = smol_tokens()
    return Tiny(
        config=configured(
            kind,
            text_config=language(made, model_type="llama", pad_token_id=made.pad_token_id),
            vision_config=VISION,
            image_token_id=ids(made, "<image>")[0],
            scale_factor=2,
            pad_token_id=made.pad_token_id,
        ),
        tokenizer=made,
        images={
            "image_processor_type": f"{name}ImageProcessor",
            "size": {"longest_edge": 168},
            "max_image_size": {"longest_edge": 56},
            "do_image_splitting": True,
            "do_pad": True,
            **HALVES,
        },
        processor={"processor_class": f"{name}Processor", "image_seq_len": 4},
        template=SMOL_TEMPLATE,
        template_file="chat_template.json",
        generation=ends(made),
        files={"video_preprocessor_config.json": {"video_processor_type": "SmolVLMVideoProcessor"}}
        if name == "SmolVLM"
        else {},
    )


@family
def smolvlm() -> Tiny:
    return tiled("smolvlm", "SmolVLM")


@family
def idefics3() -> Tiny:
    return tiled("idefics3", "Idefics3")


@family
def idefics2() -> Tiny:
    made = tokens(
        "<image>", AROUND, "<end_of_utterance>", bos="<s>", eos="</s>", unk="<unk>", add_bos=True
    )
    resampler = {
        "hidden_size": 48,
        "resampler_n_latents": 4,
        "resampler_depth": 1,
        "resampler_n_heads": 2,
        "resampler_head_dim": 16,
        "num_key_value_heads": 1,
    }
    return Tiny(
        config=configured(
            "idefics2",
            text_config=language(made, model_type="mistral", pad_token_id=made.pad_token_id),
            vision_config=VISION | {"image_size": 112},
            perceiver_config=resampler,
            image_token_id=ids(made, "<image>")[0],
        ),
        tokenizer=made,
        images={
            "image_processor_type": "Idefics2ImageProcessor",
            "size": {"longest_edge": 112, "shortest_edge": 56},
            "do_image_splitting": False,
            "do_pad": True,
        },
        processor={"processor_class": "Idefics2Processor", "image_seq_len": 4},
        template=SMOL_TEMPLATE.replace("<|im_start|>", "", 1),
        generation={
            "eos_token_id": ids(made, "</s>", "<end_of_utterance>"),
            "bad_words_ids": [[it] for it in ids(made, "<image>", AROUND)],
        },
    )


@family
def gemma3() -> Tiny:
    marks = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    made = tokens(
        "<start_of_turn>",
        "<end_of_turn>",
        bos="<bos>",
        eos="<eos>",
        unk="<unk>",
        add_bos=True,
        named=marks,
    )
    image, first, last = ids(made, "<image_soft_token>", "<start_of_image>", "<end_of_image>")
    return Tiny(
        config=configured(
            "gemma3",
            text_config=language(made, sliding_window=64),
            vision_config=SIGLIP,
            mm_tokens_per_image=4,
            boi_token_index=first,
            eoi_token_index=last,
            image_token_index=image,
        ),
        tokenizer=made,
        images={
            "image_processor_type": "Gemma3ImageProcessor",
            "size": SQUARE,
            "image_seq_length": 4,
            **HALVES,
        },
        processor={"processor_class": "Gemma3Processor", "image_seq_length": 4},
        template=parts(
            "<start_of_image>",
            "{{ bos_token }}<start_of_turn>user\n",
            "<end_of_turn>\n<start_of_turn>model\n",
        ),
        generation={
            "eos_token_id": ids(made, "<eos>", "<end_of_turn>"),
            "do_sample": True,
            "top_k": 64,
        },
        loud="post_",
    )


@family
def aria() -> Tiny:
    made = tokens(
        *("<fim_prefix>", "<fim_suffix>", "<|im_start|>"),
        bos="<s>",
        eos="<|im_end|>",
        pad="<unk>",
        named={"image_token": "<|img|>"},
    )
    text = language(
        made,
        intermediate_size=48,
        moe_num_experts=4,
        moe_topk=2,
        moe_num_shared_experts=2,
        pad_token_id=made.pad_token_id,
    )
    return Tiny(
        config=configured(
            "aria",
            text_config=text,
            vision_config=VISION
            | {"model_type": "idefics3_vision", "image_size": 980, "patch_size": 70},
            image_token_index=ids(made, "<|img|>")[0],
            projector_patch_to_query_dict={"49": 8, "196": 16},
        ),
        tokenizer=made,
        images={
            "image_processor_type": "AriaImageProcessor",
            "max_image_size": 490,
            "min_image_size": 336,
            **HALVES,
        },
        processor={
            "processor_class": "AriaProcessor",
            "size_conversion": {"490": 8, "980": 16},
        },
        template=chatml("<fim_prefix><|img|><fim_suffix>"),
        generation={"eos_token_id": made.eos_token_id},
    )


@family
def janus() -> Tiny:
    marks = {
        "image_token": "<image_placeholder>",
        "boi_token": "<begin_of_image>",
        "eoi_token": "<end_of_image>",
    }
    made = tokens(bos="<|begin|>", eos="<|end|>", add_bos=True, named=marks)
    return Tiny(
        config=configured(
            "janus",
            text_config=language(made, model_type="llama"),
            vision_config=without(VISION, "intermediate_size")
            | {"projection_dim": 48, "num_image_tokens": 16, "mlp_ratio": 2.0},
            vq_config={
                "embed_dim": 8,
                "num_embeddings": 16,
                "latent_channels": 32,
                "base_channels": 32,
                "channel_multiplier": [1, 1],
                "num_res_blocks": 1,
                "num_patches": 16,
                "projection_dim": 48,
                "image_token_embed_dim": 48,
            },
            image_token_id=ids(made, "<image_placeholder>")[0],
        ),
        tokenizer=made,
        images={"image_processor_type": "JanusImageProcessor", "size": SQUARE, "min_size": 14},
        processor={"processor_class": "JanusProcessor", "num_image_tokens": 16},
        template=parts("<image_placeholder>\n", "<|User|>: ", "\n\n<|Assistant|>:"),
        generation=ends(made),
    )


@family
def mllama() -> Tiny:
    made = llama3("<|image|>", "<|python_tag|>")
    made.add_tokens(["<|last|>"])
    text = without(language(made), "head_dim") | {
        "vocab_size": ids(made, "<|image|>")[0],
        "num_hidden_layers": 3,
        "cross_attention_layers": [1],
        "pad_token_id": made.pad_token_id,
    }
    return Tiny(
        config=configured(
            "mllama",
            text_config=text | {"vocab_size": len(made)},
            vision_config={
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_global_layers": 1,
                "attention_heads": 2,
                "vision_output_dim": 64,
                "image_size": 56,
                "patch_size": 14,
                "max_num_tiles": 4,
                "intermediate_layers_indices": [0],
                "supported_aspect_ratios": [
                    [1, 1],
                    [1, 2],
                    [1, 3],
                    [1, 4],
                    [2, 1],
                    [2, 2],
                    [3, 1],
                    [4, 1],
                ],
            },
            image_token_index=ids(made, "<|image|>")[0],
        ),
        tokenizer=made,
        images={
            "image_processor_type": "MllamaImageProcessor",
            "size": SQUARE,
            "max_image_tiles": 4,
            **HALVES,
        },
        processor={"processor_class": "MllamaProcessor"},
        template=llama3_template("<|image|>"),
        generation={"eos_token_id": ids(made, "<|eot_id|>")},
        loud="_gate",
    )


@family
def llama4() -> Tiny:
    marks = (
        *("<|image|>", "<|image_start|>", "<|image_end|>", "<|patch|>"),
        *("<|tile_x_separator|>", "<|tile_y_separator|>"),
    )
    made = llama3(*marks)
    text = language(made) | {
        "intermediate_size_mlp": 96,
        "num_local_experts": 2,
        "num_experts_per_tok": 1,
        "interleave_moe_layer_step": 1,
        "attention_chunk_size": 512,
        "pad_token_id": made.pad_token_id,
    }
    vision = without(VISION, "image_size") | {
        "image_size": 56,
        "vision_output_dim": 48,
        "projector_input_dim": 48,
        "projector_output_dim": 48,
        "intermediate_size": 128,
        "pixel_shuffle_ratio": 0.5,
    }
    return Tiny(
        config=configured(
            "llama4",
            text_config=text,
            vision_config=vision,
            image_token_index=ids(made, "<|patch|>")[0],
            boi_token_index=ids(made, "<|image_start|>")[0],
            eoi_token_index=ids(made, "<|image_end|>")[0],
        ),
        tokenizer=made,
        images={
            "image_processor_type": "Llama4ImageProcessorFast",
            "size": SQUARE,
            "max_patches": 4,
            "resize_to_max_canvas": False,
            **HALVES,
        },
        processor={"processor_class": "Llama4Processor", "patch_size": 14},
        template=llama3_template("<|image|>"),
        generation={"eos_token_id": ids(made, "<|eot_id|>")},
    )
