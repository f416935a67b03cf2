"""What the formats share that are conversations: a question, and a caption as its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.row_choice import (
    Tally,
    chosen_captions,
    fitting_rows,
    is_utf8,
)
from engine.utils import jsonlines

REQUEST = "Describe the image in English."
"""What the human asks in every conversation."""
IMAGE_TAG = "<image>"
"""What stands for the image in a text."""
MEDIA_TAGS = (IMAGE_TAG, "<video>", "<audio>")
"""What readers of conversations take for an image, a video or a sound, wherever it stands: the
number of these must be that of the files, or the training ends."""


def fits_answer(text: str) -> bool:
    """Return True if a caption can be an answer: nothing in it stands for a file."""
    return is_utf8(text) and ("<" not in text or not any(tag in text for tag in MEDIA_TAGS))


def conversation_lines(
    plan: base.ExportPlan,
    shard_captions: ShardCaptions,
    question: Any,
    content_of: Callable[[str], Any],
) -> base.EncodedShard:
    """Return JSON Lines of {"messages", "images"}, one a caption.

    `question` is the content of the user's message, `content_of` turns a caption into that of the
    assistant's.
    """
    tally, lines = Tally(), []
    for row in fitting_rows(plan, shard_captions, fits_answer):
        captions = chosen_captions(plan, row, "expand")
        tally.add(row, len(captions))
        for _, caption in captions:
            messages = [
                {"role": "user", "content": question},
                {"role": "assistant", "content": content_of(caption)},
            ]
            lines.append(jsonlines.dumps({"messages": messages, "images": [row.path]}) + b"\n")
    return tally.encoded([b"".join(lines)])
