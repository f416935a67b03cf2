"""`llava`: LLaVA's conversations JSON, with one question and answer per caption.

LLaVA's `LazySupervisedDataset` (llava/train/train.py) reads it: `image` below `--image_folder`,
`<image>` in the first turn, the turns called human and gpt. A caption that holds `<image>` would
stand for a second image, and one that holds a mark between turns would not be trained on
(`preprocess_v1`: "tokenization mismatch"): such captions are left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.array_file import ArrayWriter as Writer
from engine.datasets.exports.writers.conversation import IMAGE_TAG, REQUEST, fits_answer
from engine.datasets.exports.writers.row_choice import Tally, chosen_captions, fitting_rows
from engine.utils import jsonlines

__all__ = ["Writer", "encode"]

QUESTION = {"from": "human", "value": f"{IMAGE_TAG}\n{REQUEST}"}
"""The human's turn of every conversation."""
TOKENS = re.compile(r"<(im_start|im_end|im_patch|s|/s|unk)>")
"""Texts that LLaVA's tokenizer takes for something else."""
TURN = " ASSISTANT: "
"""What LLaVA's template of turns cuts a conversation at."""


def fits(text: str) -> bool:
    """Return True if LLaVA trains on a caption as it is."""
    if TURN in text or not fits_answer(text):
        return False
    return "<" not in text or not TOKENS.search(text)


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    tally, conversations = Tally(), []
    for row in fitting_rows(plan, shard_captions, fits):
        captions = chosen_captions(plan, row, "expand")
        tally.add(row, len(captions))
        conversations += [
            jsonlines.dumps(
                {
                    "id": f"{row.record_id:09}-{plan.names[column]}",
                    "image": row.path,
                    "conversations": [QUESTION, {"from": "gpt", "value": caption}],
                }
            )
            for column, caption in captions
        ]
    return tally.encoded([b",\n".join(conversations)])
