"""The official layouts of which there are random checkpoints. No torch here."""

from __future__ import annotations

LAYOUTS = ("llava-1.5 llava-hf", "llava-1.5 original", "minigpt-4", "otter", "qwen-vl")
FAMILY = {layout: layout.partition(" ")[0] for layout in LAYOUTS}
SHARD_BYTES = {"7b": 2 * 10**9, "small": 10**5}
"""By size."""
