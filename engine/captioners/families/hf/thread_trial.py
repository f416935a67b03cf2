"""Whether several threads may ask a processor at once.

Nearly all of a processor's time goes into the picture, which needs nothing but the processor's
settings. Only its tokenizer takes one call at a time, and makes the same tokens of the same text.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import torch

from engine.captioners.families.hf.question import ModelInputs, Question
from engine.captioners.families.hf.trial import draw_pictures

THREADS, CALLS = 4, 8
"""Threads of the trial, and calls that they make together."""
KEPT_TEXTS = 64
"""Texts whose tokens are kept. Prompts are the same for all pictures or for those of one size."""


def share_processor(questions: Sequence[Question], rows: Sequence[ModelInputs]) -> bool:
    """Let threads ask at once if they get what one gets alone; return True then.

    `rows` are the inputs that the first question made of the two drawn pictures.
    """
    processor = questions[0].processor
    if not share_tokenizer(processor.tokenizer):
        return False
    before = settings_of(processor)
    locks = [question.lock for question in questions]
    for question in questions:
        question.lock = nullcontext()
    images = draw_pictures() * (CALLS // 2)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            results = list(pool.map(questions[0].inputs, images))
        shared = settings_of(processor) == before and all(
            same_inputs(rows[number % 2], result) for number, result in enumerate(results)
        )
    except Exception:  # whatever a processor raises where threads disturb each other
        shared = False
    if not shared:
        for question, lock in zip(questions, locks, strict=True):
            question.lock = lock
    return shared


def settings_of(processor: Any) -> str:
    """Return all that a processor and its image processor hold, which no call may change."""
    parts = (processor, processor.image_processor)
    return repr([{k: v for k, v in vars(it).items() if k != "tokenizer"} for it in parts])


def same_inputs(one: ModelInputs, other: ModelInputs) -> bool:
    """Return True if two model inputs are the same."""
    return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)


def same(one: Any, other: Any) -> bool:
    """Return True if two values of model inputs are the same."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def share_tokenizer(tokenizer: Any) -> bool:
    """Have a tokenizer serve one thread after the other, and each text once.

    Return False if it cannot be changed.
    """
    own: Any = type(tokenizer)

    class SharedTokenizer(own):  # type: ignore[misc]
        """The tokenizer, which keeps the tokens of the last texts."""

        def __call__(self, *texts: Any, **options: Any) -> Any:
            key = repr((texts, options))
            with lock:
                if key not in kept:
                    kept[key] = super().__call__(*texts, **options)
                    if len(kept) > KEPT_TEXTS:
                        kept.popitem(last=False)
                kept.move_to_end(key)
                return copied(kept[key])

    lock = threading.Lock()
    kept: OrderedDict[str, Any] = OrderedDict()
    # By its name, transformers tells what a tokenizer can do.
    SharedTokenizer.__name__, SharedTokenizer.__module__ = own.__name__, own.__module__
    try:
        tokenizer.__class__ = SharedTokenizer
    except TypeError:
        return False
    return True


def copied(encoding: Any) -> Any:
    """Return a copy of a tokenizer's result, into which a processor may write."""
    data = {key: copied_values(value) for key, value in encoding.data.items()}
    return type(encoding)(data, encoding.encodings)


def copied_values(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone()
    return [copied_values(it) for it in value] if isinstance(value, list) else value
