"""The official layouts in which random checkpoints can be written. This module needs no torch."""

from __future__ import annotations

LAYOUTS = ("llava-1.5 llava-hf", "llava-1.5 original", "minigpt-4", "otter", "qwen-vl")
FAMILY = {layout: layout.partition(" ")[0] for layout in LAYOUTS}
"""The family of each layout."""
SHARD_BYTES = {"7b": 2 * 10**9, "small": 10**5}
"""The largest size of a weight file in bytes, by the size of the model."""
