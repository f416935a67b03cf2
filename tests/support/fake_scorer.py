"""A scorer without a model: a family whose score of a caption is a function of its digest.

A launcher may run it as its module: then it is a worker that knows the family beside all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.captioners import model_families
from engine.captioners.base import Scorer, Scores
from engine.captioners.presets import PAPER
from engine.captioners.record_prompt import PromptRecord
from engine.captioners.settings import Settings
from engine.images.image import Picture
from engine.quality.caption_digest import caption_digest
from engine.worker import worker

FAMILY = model_families.Family(
    name="fake-score",
    summary="a score for each digest",
    module=__name__,
    presets={PAPER: Settings(batch=2, auto_batch=False)},
    setting_names=("batch", "seed"),
    scores=True,
)


def fake_score(digest: str) -> float:
    """Return the score of the caption with this digest, from 0 to 1."""
    return int(digest[:8], 16) / 16**8


def scores_of(*texts: str) -> dict[str, float]:
    """Return what the log of a fake scorer has of an image with these captions."""
    digests = map(caption_digest, texts)
    return {digest: fake_score(digest) for digest in digests}


class FakeScorer(Scorer):
    """Reads every image, and scores without a look at it."""

    def __init__(self, settings: Settings) -> None:
        self.batch = settings.batch

    def prepare_record(self, picture: Picture, record: PromptRecord) -> list[str]:
        return list(record.texts)

    def score(self, inputs: Sequence[list[str]]) -> list[Scores]:
        return [Scores({digest: fake_score(digest) for digest in texts}) for texts in inputs]


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> FakeScorer:
    """Return the scorer, as `Family.load` asks for it."""
    return FakeScorer(settings)


def main() -> None:
    """Run a worker that knows the family, as a launcher starts it."""
    model_families.FAMILIES[FAMILY.name] = FAMILY
    worker.main()
