"""open_clip's trainer, `open_clip_train.main`, with a tiny model beside its own."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.readers.programs.torchvision_loading import declare_operators

declare_operators()

import open_clip  # noqa: E402
from open_clip_train.main import main  # noqa: E402

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8},
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 1,
    },
}
"""The model `tiny`."""


@contextmanager
def add_tiny_model() -> Iterator[None]:
    """Have open_clip know the model `tiny` within the block."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "tiny.json")
        config.write_text(json.dumps(TINY))
        open_clip.add_model_config(config)
        yield


if __name__ == "__main__":
    with add_tiny_model():
        main(sys.argv[1:])
