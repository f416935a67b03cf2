"""The presets of every model family: the settings that a model begins with.

`paper` has the settings with which upstream (README) captioned its data set, `official` those of
the model's own code.
"""

from __future__ import annotations

from dataclasses import replace

from engine.captioners.open_models import GENERAL_PROMPT
from engine.captioners.settings import Settings

PAPER = "paper"
OFFICIAL = "official"

LLAVA_CONVERSATION = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives"
    " helpful, detailed, and polite answers to the user's questions. USER: <image>\n{} ASSISTANT:"
)
"""Vicuna v1's conversation, as LLaVA-1.5 was trained on it; `{}` stands for the user's text."""
MINIGPT4_CONVERSATION = (
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I"
    " provide it to you. Please answer my questions.###Human: <Img><ImageHere></Img> {}"
    "###Assistant: "
)
"""MiniGPT-4's conversation; `{}` stands for the user's text."""
MINIGPT4_LLAMA2_CONVERSATION = (
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I"
    " provide it to you. Please answer my questions.<s>[INST] <Img><ImageHere></Img> {} [/INST] "
)
"""The conversation of MiniGPT-4 with Llama-2-Chat; `{}` stands for the user's text."""
OTTER_CONVERSATION = "<image>User: {} GPT:<answer>"
"""Otter's conversation; `{}` stands for the user's text."""
QWEN_VL_CHAT_CONVERSATION = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\nPicture 1: <img></img>\n{}<|im_end|>\n<|im_start|>assistant\n"
)
"""Qwen-VL-Chat's conversation in ChatML, as its own `chat` writes it; `{}` stands for the user's
text."""
QWEN_VL_CONVERSATION = "<img></img>{}"
"""The image and then the text that Qwen-VL continues, in place of `{}`."""

Presets = dict[str, Settings]
"""Settings by the name of the preset."""

LLAVA: Presets = {
    PAPER: Settings(
        prompt="Describe <image> in English:",
        preprocess="crop",
        temperature=0.2,
        batch=48,
    ),
    OFFICIAL: Settings(
        prompt=LLAVA_CONVERSATION.format("Describe in English:"),
        preprocess="pad",
        temperature=0.2,
        batch=48,
    ),
}
MINIGPT4: Presets = {
    PAPER: Settings(
        prompt=MINIGPT4_CONVERSATION.format("Describe in English:"),
        preprocess="squash",
        temperature=1.0,
        top_p=0.9,
        batch=96,
    ),
    OFFICIAL: Settings(
        prompt=MINIGPT4_CONVERSATION.format("Describe in English:"),
        preprocess="squash",
        batch=96,
    ),
}
MINIGPT4_LLAMA2: Presets = {
    PAPER: replace(
        MINIGPT4[PAPER], prompt=MINIGPT4_LLAMA2_CONVERSATION.format("Describe in English:")
    ),
    OFFICIAL: replace(
        MINIGPT4[OFFICIAL], prompt=MINIGPT4_LLAMA2_CONVERSATION.format("Describe in English:")
    ),
}
OTTER: Presets = {
    PAPER: Settings(
        prompt="<image> User: Describe in English: GPT: <answer>",
        preprocess="crop",
        no_repeat_ngram=3,
        batch=48,
    ),
    OFFICIAL: Settings(
        prompt=OTTER_CONVERSATION.format("Describe in English:"),
        preprocess="crop",
        no_repeat_ngram=3,
        batch=48,
    ),
}
QWEN_VL: Presets = {
    PAPER: Settings(
        prompt=QWEN_VL_CONVERSATION.format("Express emotional or artistic response:"),
        preprocess="squash",
        min_new_tokens=8,
        batch=64,
    ),
    OFFICIAL: Settings(
        prompt=QWEN_VL_CONVERSATION.format("Describe the image in English:"),
        preprocess="squash",
        min_new_tokens=8,
        batch=64,
    ),
}
QWEN_VL_CHAT: Presets = {
    PAPER: Settings(
        prompt=QWEN_VL_CHAT_CONVERSATION.format("Describe in English:"),
        preprocess="squash",
        batch=64,
    ),
    OFFICIAL: Settings(
        prompt=QWEN_VL_CHAT_CONVERSATION.format("Describe the image in English:"),
        preprocess="squash",
        batch=64,
    ),
}
HF: Presets = {
    PAPER: Settings(prompt=GENERAL_PROMPT, batch=16),
    OFFICIAL: Settings(prompt=GENERAL_PROMPT, batch=16),
}
ENDPOINT: Presets = {
    PAPER: Settings(prompt="Describe in English:", thinking=False, batch=64, auto_batch=False),
    OFFICIAL: Settings(prompt="Describe in English:", thinking=False, batch=64, auto_batch=False),
}
SERVER: Presets = {name: replace(settings, backend="vllm") for name, settings in ENDPOINT.items()}
VQA_QUESTION = "Does this figure show '{caption}'? Please answer yes or no."
"""VQAScore's question (Lin et al. 2024, arXiv 2404.01291, 3)."""
SCORE_VQA: Presets = {
    PAPER: Settings(prompt=VQA_QUESTION, batch=8),
    OFFICIAL: Settings(prompt=VQA_QUESTION, batch=8),
}
SCORE: Presets = {
    PAPER: Settings(batch=64),
    OFFICIAL: Settings(batch=64),
}
DRY_RUN: Presets = {
    PAPER: Settings(batch=256, auto_batch=False),
    OFFICIAL: Settings(batch=256, auto_batch=False),
}
