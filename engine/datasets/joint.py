"""Joint training as in the paper: an image with one of its captions, drawn anew in each epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.data import Dataset

from engine.datasets.joint_rows import read_rows
from engine.utils.errors import BadInput


class Sample(NamedTuple):
    """One image as a `transform` gets it."""

    image: str
    """The path; `engine.images.image.open_image` also opens one inside of a tar."""
    captions: list[str]
    """All captions of the image."""
    caption: str
    """The one caption that is drawn for this epoch."""


class JointCaptions(Dataset[Any]):
    """Images with all their captions, from a project or from its exports.

    `sources` is one project folder, one file of the `columns` format, or any number of JSON and
    JSON Lines files of {"image", "caption"} (`json`, `jsonl`, `per-model`, the folder of
    `per-model`), whose captions are gathered by image. An image has between one and (models + 1)
    captions. Which one is drawn depends on the seed, the epoch and the image's index alone, not on
    workers, ranks or the order in which images are read; call `set_epoch` before each epoch, also
    with persistent workers. Raises `BadInput`.

        data = JointCaptions("captions.jsonl", image_root="/data/cc3m", transform=load)
        loader = DataLoader(data, batch_size=256, shuffle=True, num_workers=8)
        for epoch in range(32):
            data.set_epoch(epoch)
            for images, texts in loader: ...

    `transform` turns a `Sample` into what the training script needs, such as (pixels, tokens);
    without one the items are `Sample`s. `image_root` is put before the image paths.
    `with_original` takes effect for projects only; `without_flagged` leaves out the records that
    were flagged in a project.
    """

    def __init__(
        self,
        *sources: str | Path,
        image_root: str | Path | None = None,
        seed: int = 0,
        with_original: bool = True,
        without_flagged: bool = False,
        transform: Callable[[Sample], Any] | None = None,
    ) -> None:
        if not sources:
            raise BadInput("name a project or the files of an export")
        paths = [Path(source) for source in sources]
        self.rows = read_rows(paths, with_original, without_flagged)
        self.image_root = None if image_root is None else Path(image_root)
        self.seed = seed
        self.transform = transform
        # In shared memory, so that persistent workers of a data loader see the new epoch.
        self.epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def set_epoch(self, epoch: int) -> None:
        """Have the captions drawn anew, in this process and in the workers of a data loader."""
        self.epoch[0] = epoch

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self.rows):
            raise IndexError(index)
        image, captions = self.rows[index]
        if self.image_root is not None:
            image = str(self.image_root / image)
        caption = captions[self.draw(index, len(captions))]
        sample = Sample(image, captions, caption)
        return sample if self.transform is None else self.transform(sample)

    def draw(self, index: int, count: int) -> int:
        """Return which of the image's `count` captions is drawn, as an index."""
        text = f"{self.seed} {int(self.epoch[0])} {index}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") % count
