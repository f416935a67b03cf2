"""Trains a demo checkpoint in its official layout. The product itself never runs this script.

    python -m engine.demo.train otter

First the vision side is trained so that probes can read the parts of the scene from its features;
probes are small classifiers, which are thrown away. Then the whole model is trained to write
captions. The vision towers of the other families start from LLaVA's trained one. LLaVA itself is
trained without probes (`--see 0`), since they read little from its patches. The shipped LLaVA was
made by an earlier form of this script, in two runs of these steps:

    python -m engine.demo.train llava-1.5 --see 0 --say 5500
    python -m engine.demo.train llava-1.5 --see 0 --say 2600 --go-on --seed 1 --peak 5e-4

The other three took one run each, of 20 to 45 minutes on one core that had other work, too.
"""

from __future__ import annotations

import math
import random
import time
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from engine.captioners.preprocessing.pixels import CLIP_MEAN, CLIP_STD, RESIZERS, SquarePreprocessor
from engine.captioners.registry import FAMILIES
from engine.demo import checkpoint
from engine.demo.evaluate import measure
from engine.demo.phrasing import PHRASINGS
from engine.demo.scenes import (
    BACKGROUNDS,
    COLOURS,
    RELATIONS,
    SHAPES,
    Scene,
    draw_scene,
    make_scene,
)
from engine.demo.trainable import TrainableModel, load_trainable

LAYOUTS = {
    "llava-1.5": "llava",
    "minigpt-4": "minigpt4",
    "otter": "otter",
    "qwen-vl": "qwen_vl",
}
"""The module in `engine.demo.layouts` of each family."""
BATCH = 32
"""Scenes per step."""
WARM_UP_STEPS = 200
"""Steps until the learning rate has reached its highest value."""
CONTINUATION_WEIGHT = 0.3
"""Weight in the loss of tokens after the first sentence: they are mostly chance, so that there is
less to learn from them than from the sentence, whose weight is 1."""
PROBE_WEIGHT = 0.3
"""Weight of the probes' loss beside that of the captions."""
UNSEEN_SCENES = 500
"""Number of scenes on which the result is measured."""
UNSEEN_SEED = 1_000_003
"""Seed of these scenes. Training has negative seeds, and the seeds of projects are small."""

SCENE_PARTS = (COLOURS, SHAPES, COLOURS, SHAPES, RELATIONS, BACKGROUNDS)
"""The values of each part of a scene that probes read: first shape, second shape, relation,
background."""


def scene_classes(scene: Scene) -> list[int]:
    """Return the class of each of `SCENE_PARTS`: the position of the scene's value among all."""
    first, second = scene.first, scene.second
    values = (
        first.colour,
        first.shape,
        second.colour,
        second.shape,
        scene.relation,
        scene.background,
    )
    return [list(options).index(it) for options, it in zip(SCENE_PARTS, values, strict=True)]


class Probes(nn.Module):
    """Linear classifiers: the i-th reads the i-th part of the scene from the i-th feature."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, len(options)) for options in SCENE_PARTS)

    def forward(self, features: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Return the loss of features (B, n, D) whose scenes have these classes (B, parts)."""
        losses = [
            cross_entropy(head(features[:, i]), classes[:, i]) for i, head in enumerate(self.heads)
        ]
        return torch.stack(losses).mean()


class TrainingBatches:
    """Batches of drawn scenes: in a new order each round, each time with another continuation."""

    def __init__(self, family: str, model: TrainableModel, count: int, seed: int) -> None:
        """Draw `count` scenes of a seed that no project has."""
        self.phrasing = PHRASINGS[family]
        self.model = model
        self.scenes = [make_scene(-1 - seed, index) for index in range(count)]
        square = SquarePreprocessor(
            model.module.image_size, FAMILIES[family].presets["paper"].preprocess
        )
        self.pixels = torch.stack([scene_pixels(it, square) for it in self.scenes])
        self.classes = torch.tensor([scene_classes(it) for it in self.scenes])
        self.mean, self.std = (torch.tensor(it)[:, None, None] for it in (CLIP_MEAN, CLIP_STD))
        self.rng = random.Random(f"batches {seed}")  # noqa: S311
        self.order: list[int] = []

    def next_batch(self) -> list[int]:
        """Return the indices of the scenes of the next batch."""
        if len(self.order) < BATCH:
            self.order = self.rng.sample(range(len(self.scenes)), len(self.scenes))
        return [self.order.pop() for _ in range(BATCH)]

    def pixel_values(self, indices: list[int]) -> torch.Tensor:
        """Return the images (B, 3, S, S) as the captioner prepares them."""
        return (self.pixels[indices].float() / 255 - self.mean) / self.std

    def captions(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the target ids (B, n) of new captions and the weights (B, n) in the loss."""
        rows, weights = [], []
        for index in indices:
            sentence = f"{self.phrasing.sentence(self.scenes[index])}."
            continuation = self.phrasing.continuation(self.scenes[index], self.rng)
            ids = [*self.model.encode(f"{sentence} {continuation}"), *self.model.end_ids]
            sentence_tokens = len(self.model.encode(sentence))
            rows.append(ids)
            rest = [CONTINUATION_WEIGHT] * (len(ids) - sentence_tokens)
            weights.append([1.0] * sentence_tokens + rest)
        longest = max(map(len, rows))
        # End tokens with weight 0 pad the rows. At the end, nothing that counts attends to them.
        targets = [row + self.model.end_ids * (longest - len(row)) for row in rows]
        return torch.tensor(targets), torch.tensor(
            [row + [0.0] * (longest - len(row)) for row in weights]
        )


def scene_pixels(scene: Scene, square: SquarePreprocessor) -> torch.Tensor:
    """Return the square (3, S, S) of a scene in uint8, before normalisation."""
    image = RESIZERS[square.mode](draw_scene(scene), square)
    return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return the learning rate: a linear warm-up, times a cosine from `peak` down to 0."""
    warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
    return peak * warm_up * 0.5 * (1 + math.cos(math.pi * step / steps))


class TrainingPhase:
    """A number of training steps with one optimiser, which reports its progress."""

    def __init__(self, modules: list[nn.Module], steps: int, peak: float) -> None:
        self.parameters = [it for module in modules for it in module.parameters()]
        self.optimiser = torch.optim.AdamW(self.parameters, betas=(0.9, 0.98), weight_decay=0.01)
        self.steps, self.peak = steps, peak
        self.started = time.monotonic()

    def run_step(self, step: int, loss: torch.Tensor, shown_loss: float) -> None:
        """Train one step; `shown_loss` is the part of the loss that people want to see."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, self.steps, self.peak)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        if step % 50 == 0 or step == self.steps - 1:
            minutes = (time.monotonic() - self.started) / 60
            click.echo(
                f"step {step:5d}  loss {loss.item():.4f}  {shown_loss:.4f}  {minutes:.1f} min"
            )


def train_vision(
    model: TrainableModel, probes: Probes, batches: TrainingBatches, steps: int, peak: float
) -> None:
    """Train the vision side by the probes alone."""
    phase = TrainingPhase([model.module, probes], steps, peak)
    for step in range(steps):
        batch = batches.next_batch()
        features = model.encode_images(batches.pixel_values(batch))
        loss = probes(features, batches.classes[batch])
        phase.run_step(step, loss, loss.item())


def train_captions(
    model: TrainableModel, probes: Probes | None, batches: TrainingBatches, steps: int, peak: float
) -> None:
    """Train the whole model by its captions, and by the probes if there are any."""
    phase = TrainingPhase([model.module, *([probes] if probes else [])], steps, peak)
    for step in range(steps):
        batch = batches.next_batch()
        features = model.encode_images(batches.pixel_values(batch))
        targets, weight = batches.captions(batch)
        logits = model.caption_logits(features, targets)
        losses = cross_entropy(logits.transpose(1, 2), targets, reduction="none")
        loss = (losses * weight).sum() / weight.sum()
        sentence_loss = losses[weight == 1].mean().item()
        if probes is not None:
            loss = loss + PROBE_WEIGHT * probes(features, batches.classes[batch])
        phase.run_step(step, loss, sentence_loss)


@click.command()
@click.argument("family", type=click.Choice(list(LAYOUTS)))
@click.option("--see", default=2500, show_default=True, help="Steps of the vision side alone.")
@click.option("--say", default=5000, show_default=True, help="Steps of the whole.")
@click.option("--scenes", "count", default=24_000, show_default=True, help="Drawn for training.")
@click.option("--seed", default=0, show_default=True)
@click.option("--peak", default=1e-3, show_default=True, help="The highest learning rate.")
@click.option("--go-on", is_flag=True, help="From the checkpoint that is there.")
@click.option("--threads", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Default: the shipped checkpoint.")
def main(
    family: str,
    see: int,
    say: int,
    count: int,
    seed: int,
    peak: float,
    go_on: bool,
    threads: int,
    out: Path | None,
) -> None:
    """Trains FAMILY's demo checkpoint, then measures it on unseen scenes."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    folder = out or checkpoint(family)
    layout = import_module(f"engine.demo.layouts.{LAYOUTS[family]}")
    if not go_on:
        layout.write_untrained(folder, tokenizer_corpus(family, seed))
    model = load_trainable(family, folder)
    side = model.module.image_size
    probes = Probes(width=model.encode_images(torch.zeros(1, 3, side, side)).shape[-1])
    total = sum(parameter.numel() for parameter in model.module.parameters())
    batches = TrainingBatches(family, model, count, seed)
    click.echo(f"{total:,} parameters, {count:,} scenes drawn")
    train_vision(model, probes, batches, see, peak)
    train_captions(model, probes if see else None, batches, say, peak)
    layout.save_trained(model.module, folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    click.echo(f"{folder}: {size:,} bytes")
    for temperature in sorted({0.0, FAMILIES[family].presets["paper"].temperature}):
        click.echo(measure(family, folder, UNSEEN_SCENES, UNSEEN_SEED, temperature).summary())


def tokenizer_corpus(family: str, seed: int) -> list[str]:
    """Return the texts on which the tokenizer is trained: captions, and the prompts of all presets.

    The prompts are repeated, so that their words become whole tokens.
    """
    phrasing = PHRASINGS[family]
    rng = random.Random(f"words {seed}")  # noqa: S311
    scenes = [make_scene(-1 - seed, index) for index in range(5000)]
    captions = [f"{phrasing.sentence(it)}. {phrasing.continuation(it, rng)}" for it in scenes]
    prompts = [it.prompt for it in FAMILIES[family].presets.values()]
    return captions + 100 * prompts


if __name__ == "__main__":
    main()
