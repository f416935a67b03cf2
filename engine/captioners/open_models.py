"""What is known of each type of model that the family `hf` loads: how its authors ask it.

A type is a `model_type` of transformers' AutoModelForImageTextToText. A type that is not in the
table is asked by the chat template of its folder. This module imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.captioners.config_files import server_advice

GENERAL_PROMPT = "Describe in English:"
"""The prompt of `hf`'s presets. A type that is asked by words of its own gets those instead."""
NO_TEXT = ""
"""The own prompt of a type that captions without being asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenModel:
    """How one type of model is asked for a caption, or why it is not."""

    own_prompt: str | None = None
    """What the type is asked in place of `GENERAL_PROMPT`; None if that is understood."""
    plain: str | None = None
    """The text for the processor where the folder has no chat template: `{}` stands for the prompt,
    `<image>` for the image token. None if the type is asked by a chat template only."""
    interleaved: bool = False
    """True if the image itself stands in the list of texts where `plain` has `<image>`."""
    refusal: str | None = None
    """Why the type captions no images, as the end of a sentence that begins with "it"; None if it
    does."""
    tried: bool = False
    """True if a tiny checkpoint of it says in the tests what it says with its own processor."""


def refused(why: str) -> OpenModel:
    return OpenModel(refusal=why)


CHAT = OpenModel(tried=True)
"""A type with a chat template in its folder."""
UNTRIED = OpenModel()
"""A type of which no checkpoint was tried: it is asked by its chat template, if it has one."""
OCR = refused("reads the text of a page (OCR) and describes no image")

OPEN_MODELS: dict[str, OpenModel] = {
    "aria": CHAT,
    "aya_vision": CHAT,
    "blip": OpenModel(own_prompt=NO_TEXT, plain="{}", tried=True),
    "blip-2": OpenModel(plain="{}", tried=True),
    "blip-2/opt": OpenModel(own_prompt=NO_TEXT, plain="{}", tried=True),
    "chameleon": OpenModel(plain="{}<image>", tried=True),
    "cohere2_vision": CHAT,
    "cohere_compass": UNTRIED,
    "cosmos3_edge": UNTRIED,
    "cosmos3_omni": UNTRIED,
    "deepseek_ocr2": OCR,
    "deepseek_vl": CHAT,
    "deepseek_vl_hybrid": CHAT,
    "diffusion_gemma": UNTRIED,
    "dots3_note": UNTRIED,
    "emu3": CHAT,
    "ernie4_5_vl_moe": CHAT,
    "evolla": refused("describes proteins and takes no image"),
    "exaone4_5": CHAT,
    "fast_vlm": UNTRIED,
    "florence2": OpenModel(own_prompt="<CAPTION>", plain="{}", tried=True),
    "fuyu": OpenModel(own_prompt="Generate a coco-style caption.\n", plain="{}"),
    "gemma3": CHAT,
    "gemma3n": UNTRIED,
    "gemma4": CHAT,
    "gemma4_unified": UNTRIED,
    "git": OpenModel(own_prompt=NO_TEXT, plain="{}", tried=True),
    "glm46v": CHAT,
    "glm4v": CHAT,
    "glm4v_moe": CHAT,
    "glm5_next": UNTRIED,
    "glm_ocr": OCR,
    "glmga": UNTRIED,
    "got_ocr2": OCR,
    "granite4_vision": UNTRIED,
    "granite_docling": refused("turns pages into documents and describes no image"),
    "hunyuan_vl": UNTRIED,
    "hyperclovax_vision_v2": CHAT,
    "idefics": OpenModel(plain="User:<image>{}\nAssistant:", interleaved=True, tried=True),
    "idefics2": CHAT,
    "idefics3": CHAT,
    "inkling2": UNTRIED,
    "inkling_mm_model": UNTRIED,
    "instructblip": OpenModel(plain="{}", tried=True),
    "instructblipvideo": refused("takes videos only"),
    "internvl": CHAT,
    "janus": CHAT,
    "kimi_k25": UNTRIED,
    "kosmos-2": OpenModel(own_prompt="<grounding>An image of", plain="{}", tried=True),
    "kosmos-2.5": OCR,
    "lfm2_vl": CHAT,
    "lfm3_vl": UNTRIED,
    "lighton_ocr": OCR,
    "llama4": CHAT,
    "llava": OpenModel(plain="USER: <image>\n{} ASSISTANT:", tried=True),
    "llava_next": OpenModel(plain="[INST] <image>\n{} [/INST]", tried=True),
    "llava_next_video": OpenModel(plain="USER: <image>\n{} ASSISTANT:", tried=True),
    "llava_onevision": CHAT,
    "minicpm_ocr": OCR,
    "minicpmv4_6": UNTRIED,
    "minicpmv4_7": UNTRIED,
    "minimax_m3_vl": UNTRIED,
    "mistral3": CHAT,
    "mistral4": refused("writes text and takes no image"),
    "mistral_large4": UNTRIED,
    "mllama": CHAT,
    "molmo2": UNTRIED,
    "muse_glimmer": UNTRIED,
    "muse_spark": UNTRIED,
    "nemotron_h_omni": UNTRIED,
    "ovis2": CHAT,
    "paddleocr_vl": OCR,
    "paligemma": OpenModel(own_prompt="caption en", plain="<image>{}", tried=True),
    "perception_lm": UNTRIED,
    "pi0": refused("moves a robot and describes no image"),
    "pix2struct": OpenModel(own_prompt=NO_TEXT, plain="{}", tried=True),
    "pp_chart2table": refused("turns charts into tables and describes no image"),
    "pp_formulanet": OCR,
    "qianfan_ocr": OCR,
    "qwen2_5_omni_thinker": UNTRIED,
    "qwen2_5_vl": CHAT,
    "qwen2_vl": CHAT,
    "qwen3_5": CHAT,
    "qwen3_5_moe": CHAT,
    "qwen3_omni_moe_thinker": UNTRIED,
    "qwen3_vl": CHAT,
    "qwen3_vl_moe": CHAT,
    "qwen4_exp": UNTRIED,
    "shieldgemma2": refused("judges whether an image is harmful and describes none"),
    "smolvlm": CHAT,
    "step3p7": UNTRIED,
    "t5gemma2": CHAT,
    "udop": OCR,
    "unlimited_ocr": OCR,
    "video_llama_3": CHAT,
    "video_llava": OpenModel(plain="USER: <image>\n{} ASSISTANT:", tried=True),
    "vipllava": OpenModel(
        plain="A chat between a curious human and an artificial intelligence assistant. The"
        " assistant gives helpful, detailed, and polite answers to the human's"
        " questions.###Human: <image>\n{}###Assistant:",
        tried=True,
    ),
    "vision-encoder-decoder": OpenModel(own_prompt=NO_TEXT, plain="{}", tried=True),
    "vision-encoder-decoder/trocr": OCR,
    "vision-encoder-decoder/mbart": OCR,
}
"""All types of the pinned transformers, and what holds for the parts of some.

A key `TYPE/PART` is for checkpoints of the type whose language model is of another type, `PART`."""


def open_model(config: Mapping[str, Any]) -> OpenModel:
    """Return what is known of the type of a checkpoint, by the contents of its config.json."""
    kind = config.get("model_type")
    part = next(
        (
            it.get("model_type")
            for key in ("text_config", "decoder")
            if isinstance(it := config.get(key), Mapping)
        ),
        None,
    )
    return OPEN_MODELS.get(f"{kind}/{part}") or OPEN_MODELS.get(str(kind)) or UNTRIED


def own_prompt(config: Mapping[str, Any], prompt: str) -> str:
    """Return the prompt that a checkpoint is asked for a setting `prompt`.

    The general prompt becomes the type's own one; what a person wrote stays as it is.
    """
    own = open_model(config).own_prompt
    return own if own is not None and prompt == GENERAL_PROMPT else prompt


def general_prompt(config: Mapping[str, Any], prompt: str) -> str:
    """Return the setting `prompt` for a checkpoint of any type that takes the place of this one.

    The type's own prompt becomes the general one again; what a person wrote stays as it is.
    """
    return GENERAL_PROMPT if prompt == open_model(config).own_prompt else prompt


def refusal_of_type(config: Mapping[str, Any]) -> str | None:
    """Return why a checkpoint of this type captions no images, in a sentence; None if it does."""
    why = open_model(config).refusal
    if why is None:
        return None
    return (
        f"a model of the type {config.get('model_type')!r} is not a captioner: it {why}; take one"
        f" that 'mllmaug-tui models' lists as tried, or {server_advice()}"
    )


def types_by_state() -> dict[str, list[str]]:
    """Return the types that are `tried`, `untried` and `refused`, each in alphabetical order."""
    states: dict[str, list[str]] = {"tried": [], "untried": [], "refused": []}
    for name, model in OPEN_MODELS.items():
        if "/" not in name:
            state = "refused" if model.refusal else "tried" if model.tried else "untried"
            states[state].append(name)
    return states


def own_prompts() -> dict[str, str]:
    """Return the prompts of the types that are asked by words of their own, by type."""
    return {
        name: model.own_prompt
        for name, model in OPEN_MODELS.items()
        if model.own_prompt is not None
    }
