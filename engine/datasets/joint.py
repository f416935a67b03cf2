"""Joint training as in the paper: an image with one of its captions, drawn anew in each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import distributed
from torch.utils.data import Dataset
from torch.utils.data.distributed import DistributedSampler

from engine.datasets.argument_names import naming_arguments
from engine.datasets.exports.shard_captions import CaptionFilter
from engine.datasets.joint_draw import DrawMode, DrawRule
from engine.datasets.joint_rows import read_rows
from engine.quality.quality_filter import QualityFilter
from engine.utils.errors import BadInput


class Sample(NamedTuple):
    """One image as a `transform` gets it."""

    image: str
    """The path; `mllmaug_tui.open_image` also opens one inside of a tar."""
    captions: list[str]
    """All captions of the image."""
    caption: str
    """The one text that is drawn for this epoch."""


class JointCaptions(Dataset[Any]):
    """Images with all their captions, from a project or from its exports.

    `sources` is one project folder, one file of the `columns` format, or any number of JSON and
    JSON Lines files of {"image", "caption"} (`json`, `jsonl`, `per-model`, the folder of
    `per-model`), whose captions are gathered by image. An image has between one and (models + 1)
    captions. What is drawn depends on the seed, the epoch and the image's index alone, not on
    workers, ranks or the order in which images are read; call `set_epoch` before each epoch, also
    with persistent workers. Raises `BadInput`.

        data = JointCaptions("captions.jsonl", image_root="/data/cc3m", transform=load)
        loader = DataLoader(data, batch_size=256, sampler=data.sampler(), num_workers=8)
        for epoch in range(32):
            data.set_epoch(epoch)
            for images, texts in loader: ...

    `draw` says what an image gets: "caption", one of its captions, each as likely as the others (as
    in the paper); or "random_sentence", one sentence of such a caption. Of a project's models that
    is a sentence of the raw caption, and `Sample.captions` are the raw ones; an original caption
    stays whole. `mix` is the share of images that get their original caption. `weights` says how
    often captions of a name are drawn, in proportion to 1, the weight of a name that is not in it;
    one of weight 0 is drawn only where an image has no other. The names are "original" and those of
    the models, or those of JSON files without suffix.

    `transform` turns a `Sample` into what the training script needs, such as (pixels, tokens);
    without one the items are `Sample`s. `image_root` is put before the image paths. The others are
    for projects only: `with_original` takes the original captions too, `without_flagged` leaves out
    the records that were flagged, and `keep_unreadable` keeps images that are known to be
    unreadable or missing, or were excluded, with the captions that they have. `without_flagged`
    also leaves out captions that were flagged by themselves; `only_flagged` takes nothing else.

    Also for projects, and for each caption by itself, are the filters of `export` by the same
    names: `without`, `language`, `min_score`, `min_agree`, `best`, `drop_original_when`,
    `keep_share`, `by` and `share_seed`. They look at sheared captions and their health, and at the
    scores of the text that is taken. `rows.left_out` says how many captions they left out, by
    reason.
    """

    def __init__(
        self,
        *sources: str | Path,
        image_root: str | Path | None = None,
        seed: int = 0,
        with_original: bool = True,
        without_flagged: bool = False,
        only_flagged: bool = False,
        keep_unreadable: bool = False,
        without: str | Sequence[str] = (),
        language: str = "en",
        min_score: Mapping[str, float] | None = None,
        min_agree: float | None = None,
        best: int | None = None,
        drop_original_when: str | Sequence[str] = (),
        keep_share: float | None = None,
        by: str | None = None,
        share_seed: int = 0,
        draw: DrawMode = "caption",
        mix: float | None = None,
        weights: Mapping[str, float] | None = None,
        transform: Callable[[Sample], Any] | None = None,
    ) -> None:
        if not sources:
            raise BadInput("name a project or the files of an export")
        self.rule = DrawRule(seed=seed, mode=draw, mix=mix, weights=dict(weights or {}))
        if min_score is not None and not isinstance(min_score, Mapping):
            raise BadInput(
                "min_score is a mapping of scorers to their lowest scores, such as"
                f" {{'clip': 0.2}}, not {min_score!r}"
            )
        with naming_arguments():
            caption_filter = CaptionFilter(
                with_originals=with_original,
                without_flagged=without_flagged,
                only_flagged=only_flagged,
                keep_unreadable=keep_unreadable,
                raw=draw == "random_sentence",
            )
            quality = QualityFilter.parse(
                without=without,
                language=language,
                min_score=[f"{name}={score}" for name, score in (min_score or {}).items()],
                min_agree=min_agree,
                best=best,
                drop_original_when=drop_original_when,
                keep_share=keep_share,
                by=by,
                share_seed=share_seed,
            )
        self.rows = read_rows([Path(source) for source in sources], caption_filter, quality)
        self.rule.refuse_unknown(self.rows.names)
        self.image_root = None if image_root is None else Path(image_root)
        self.transform = transform
        # In shared memory, so that persistent workers of a data loader see the new epoch.
        self.epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def set_epoch(self, epoch: int) -> None:
        """Have the captions drawn anew, in this process and in the workers of a data loader."""
        self.epoch[0] = epoch

    def sampler(
        self, ranks: int | None = None, rank: int | None = None, shuffle: bool = True
    ) -> RankSampler:
        """Return a sampler that gives this rank its share of the images, by default in an order
        that is drawn anew in each epoch.

        `rank` is one of 0 to `ranks` - 1. Where they are not given, torch.distributed tells them;
        without that, this process is the only one.
        """
        if ranks is None and not (distributed.is_available() and distributed.is_initialized()):
            ranks, rank = 1, 0
        return RankSampler(self, ranks, rank, shuffle)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self.rows):
            raise IndexError(index)
        image, names, captions = self.rows[index]
        if self.image_root is not None:
            image = str(self.image_root / image)
        drawn = self.rule.draw(names, captions, int(self.epoch[0]), index)
        sample = Sample(image, captions, drawn)
        return sample if self.transform is None else self.transform(sample)


class RankSampler(DistributedSampler[Any]):
    """The images of one rank. No image is read twice in an epoch, by no rank.

    torch's own sampler repeats some images where the ranks do not divide their number; here up to
    `ranks` - 1 of them are left out instead, others in each epoch if they are shuffled. The epoch
    is that of `JointCaptions.set_epoch`.
    """

    def __init__(
        self, data: JointCaptions, ranks: int | None, rank: int | None, shuffle: bool
    ) -> None:
        super().__init__(
            data,
            num_replicas=ranks,
            rank=rank,
            shuffle=shuffle,
            seed=data.rule.seed,
            drop_last=True,
        )
        self.data = data

    def __iter__(self) -> Iterator[Any]:
        self.set_epoch(int(self.data.epoch[0]))
        return super().__iter__()
