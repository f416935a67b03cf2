"""Do the captions help? The whole way of the data, ending in a small CLIP.

    python -m tests.bench retrieval [--quick] [--seed N] [--scenes N] [--steps N] [--seeds N]

Drawn scenes are captioned by `run`, exported, and read by `JointCaptions`. A CLIP of half a million
parameters is trained for equal steps on each arm, and finds unseen scenes by texts and texts by
scenes, in three wordings that neither a model nor an original has, and in the models' own:

- original, and each model alone: one caption an image;
- joint: the original and the four sheared captions, one drawn anew in each epoch; raw: the same
  before shearing; mix: joint, with this share of originals;
- shuffled: joint, on wrong images. If that is above chance, the bench fails, since its test leaks;
- truth: true sentences in all seven wordings, an upper bound.

It checks the way of the data. Two coloured shapes are no evidence for the paper's figures.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import click
import numpy as np
import torch
from PIL import Image

from engine.datasets import JointCaptions
from engine.datasets.exports.writers.base import ORIGINAL
from engine.demo.scenes import make_scene
from engine.operations.demo_project import MODELS
from engine.process.pool import map_on_all_cores
from tests.bench import scene_captions
from tests.bench.report import report
from tests.bench.scene_captions import NEUTRAL, OWN
from tests.bench.tiny_clip import Vocabulary, recall, train

BATCH = 128
"""Images of a step."""
MIXES = (0.2, 0.4, 0.6, 0.8)
"""Shares of originals that are tried."""
CHANCE_HITS = 10
"""Right answers that the arm `shuffled` may have in a test of which 1 is to be expected: more come
about by chance with a probability of 1e-7."""
NOT_EVIDENCE = (
    "This is a check of the way of the data, from images to a trained CLIP, on drawn scenes. It is"
    " no evidence for the paper's figures."
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is captioned, trained and tested."""

    seed: int = 101
    """Of the scenes."""
    scenes: int = 3000
    tests: int = 500
    steps: int = 300
    seeds: int = 3


QUICK = Size(scenes=64, tests=40, steps=6, seeds=1)
"""A form that shows that everything runs; its figures say nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training."""

    arm: str
    seed: int
    folder: Path
    """The folder with the scenes, the project and the export."""
    size: Size
    mix: float | None = None


class Recalls(NamedTuple):
    """R@1 in one kind of wordings, the mean of them, from 0 to 1."""

    to_text: float
    to_image: float

    @property
    def both(self) -> float:
        return (self.to_text + self.to_image) / 2


class Outcome(NamedTuple):
    """What a training came to."""

    neutral: Recalls
    own: Recalls
    """In the models' own wordings."""


def main(arguments: list[str]) -> None:
    command.main(arguments, "retrieval")


@click.command()
@click.option("--quick", is_flag=True)
@click.option("--seed", type=int)
@click.option("--scenes", type=click.IntRange(min=BATCH))
@click.option("--steps", type=click.IntRange(min=1))
@click.option("--seeds", type=click.IntRange(min=1))
def command(quick: bool, **given: int | None) -> None:
    changes = {name: value for name, value in given.items() if value is not None}
    size = replace(QUICK if quick else Size(), **changes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = scene_captions.write_project(folder, size.scenes, size.seed)
        scene_captions.caption(project)
        compare(folder, size)


def compare(folder: Path, size: Size) -> None:
    """Train and test all arms on a captioned project, print the figures, and check the control."""
    scene_captions.export(folder / "run", folder / "captions.jsonl")
    save_pictures(folder)
    runs = list(all_runs(folder, size))
    outcomes = []
    for run, outcome in zip(runs, map_on_all_cores(train_and_test, runs), strict=True):
        report_run(run, outcome)
        outcomes.append((run, outcome))
    for line in table(outcomes):
        print(line)
    refuse_leaks(outcomes, size.tests)
    print(best_mix([(run.mix, found) for run, found in outcomes if run.mix is not None]))


def best_mix(tried: Sequence[tuple[float, Outcome]]) -> str:
    """Return which mixing ratio was the best, in neutral wordings, as a sentence."""
    *others, best = sorted(tried, key=lambda it: it[1].neutral.both)
    percents = [f"{100 * outcome.neutral.both:.1f}" for _, outcome in (*others, best)]
    return (
        f"Of the mixing ratios, of one seed each, {best[0]:.0%} originals was the best: R@1"
        f" {percents[-1]} percent in neutral wordings, the others {percents[0]} to {percents[-2]}."
        f" {NOT_EVIDENCE}"
    )


def all_runs(folder: Path, size: Size) -> Iterator[Run]:
    """Yield every arm with every seed, then every mix with the first one."""
    for arm in (ORIGINAL, "joint", "raw", *MODELS, "shuffled", "truth"):
        for seed in range(size.seeds):
            yield Run(arm, seed, folder, size)
    for mix in MIXES:
        yield Run(f"mix {mix}", 0, folder, size, mix)


def save_pictures(folder: Path) -> None:
    """Write the scenes of a project as the model sees them, in the order of their names."""
    files = sorted((folder / "scenes/images").iterdir())
    pictures = [scene_captions.small_picture(Image.open(file)) for file in files]
    np.save(folder / "pictures.npy", np.stack(pictures))


def train_and_test(run: Run) -> Outcome:
    """Train a model on an arm, and test it."""
    torch.set_num_threads(1)  # each core has a training of its own
    scenes = scene_captions.unseen_scenes(run.size.seed, run.size.scenes, run.size.tests)
    batches = Batches(run)
    tests = [[wording(scene) for scene in scenes] for wording in (*NEUTRAL, *OWN)]
    model = train(Vocabulary(batches.texts()), batches.next_batch, run.size.steps, run.seed)
    pictures = torch.from_numpy(scene_captions.small_pictures_of(scenes))
    found = [recall(model, pictures, texts) for texts in tests]
    return Outcome(mean_of(found[: len(NEUTRAL)]), mean_of(found[len(NEUTRAL) :]))


def mean_of(found: Sequence[tuple[float, float]]) -> Recalls:
    to_text, to_image = zip(*found, strict=True)
    return Recalls(mean(to_text), mean(to_image))


class Batches:
    """The batches of an arm: each image once an epoch, with the caption that is drawn for it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.data = joint_captions(run)
        self.pictures = torch.from_numpy(np.load(run.folder / "pictures.npy"))
        self.rng = random.Random(f"{run.seed} {run.arm}")
        self.epoch = 0
        self.order: list[int] = []
        self.others = self.rng.sample(range(len(self.data)), len(self.data))
        """The image whose captions each image gets in the arm `shuffled`."""

    def texts(self) -> Iterator[str]:
        """Yield every text that the arm may draw."""
        for index in range(len(self.data)):
            image, names, captions = self.data.rows[index]
            if self.run.arm == "truth":
                yield from truths(self.run, image)
            else:
                chances = self.data.rule.chances(names)
                yield from (text for text, it in zip(captions, chances, strict=True) if it)

    def next_batch(self) -> tuple[torch.Tensor, list[str]]:
        if len(self.order) < BATCH:
            self.start_epoch()
        chosen = [self.order.pop() for _ in range(min(BATCH, len(self.order)))]
        pairs = [self.pair(index) for index in chosen]
        return self.pictures[[number for number, _ in pairs]], [text for _, text in pairs]

    def start_epoch(self) -> None:
        """Have the captions and the order of images drawn anew."""
        self.epoch += 1
        self.data.set_epoch(self.epoch)
        self.order = list(self.data.sampler())

    def pair(self, index: int) -> tuple[int, str]:
        """Return the number of an image's scene, and its caption in this epoch."""
        sample = self.data[index]
        scene = scene_number(sample.image)
        if self.run.arm == "truth":
            return scene, self.rng.choice(truths(self.run, sample.image))
        if self.run.arm == "shuffled":
            return scene, self.data[self.others[index]].caption
        return scene, sample.caption


def scene_number(image: str) -> int:
    """Return the number of the scene in an image file."""
    return int(Path(image).stem)


def truths(run: Run, image: str) -> list[str]:
    """Return what is true of an image, in all wordings."""
    scene = make_scene(run.size.seed, scene_number(image))
    return [wording(scene) for wording in (*NEUTRAL, *OWN)]


def joint_captions(run: Run) -> JointCaptions:
    """Return the captions from which an arm draws: of the export or, raw, of the project."""
    if run.arm == "raw":
        # Of raw captions, `JointCaptions` draws sentences; here the whole of one is drawn.
        data = JointCaptions(run.folder / "run", seed=run.seed, draw="random_sentence")
        data.rule = replace(data.rule, mode="caption")
        return data
    weights = {}
    if run.arm in (ORIGINAL, *MODELS):
        weights = {name: float(name == run.arm) for name in (ORIGINAL, *MODELS)}
    return JointCaptions(run.folder / "captions.jsonl", seed=run.seed, weights=weights, mix=run.mix)


def report_run(run: Run, outcome: Outcome) -> None:
    """Print the line of one training."""
    report(
        "retrieval",
        f"{run.arm}, seed {run.seed}",
        outcome.neutral.both,
        "R@1",
        arm=run.arm,
        seed=run.seed,
        **{
            f"{wording}_{way}": round(value, 4)
            for wording, recalls in outcome._asdict().items()
            for way, value in recalls._asdict().items()
        },
    )


def table(outcomes: Sequence[tuple[Run, Outcome]]) -> Iterator[str]:
    """Yield the means and ranges of R@1 in percent, a row an arm, as Markdown."""
    yield "| R@1 in percent | neutral: to text | to image | models' own: to text | to image |"
    yield "|---|---|---|---|---|"
    for arm in dict.fromkeys(run.arm for run, _ in outcomes):
        found = [outcome for run, outcome in outcomes if run.arm == arm]
        cells = (
            spread([getattr(getattr(outcome, wording), way) for outcome in found])
            for wording in Outcome._fields
            for way in Recalls._fields
        )
        yield f"| {arm} | {' | '.join(cells)} |"


def spread(values: Sequence[float]) -> str:
    """Return the mean and the range of values, in percent."""
    if len(values) == 1:
        return f"{100 * values[0]:.1f}"
    return f"{100 * mean(values):.1f} ({100 * min(values):.1f}-{100 * max(values):.1f})"


def refuse_leaks(outcomes: Sequence[tuple[Run, Outcome]], tests: int) -> None:
    """End with an error if the arm `shuffled` is above chance: then no figure can be believed."""
    for run, outcome in outcomes:
        highest = max(max(recalls) for recalls in outcome)
        if run.arm == "shuffled" and highest * tests > CHANCE_HITS:
            sys.exit(
                f"FAILED: trained on shuffled captions (seed {run.seed}), R@1 is {highest:.1%} of"
                f" {tests} scenes, far above chance ({1 / tests:.1%}): the test leaks"
            )
