"""Trains a demo checkpoint in its official layout. The shipped ones need nothing of this.

    python -m engine.demo.train otter

First the vision side learns to name the scene's parts to probes, small classifiers that are thrown
away; then the language model learns to word what the vision side sees. The vision towers of the
others start from the trained one of LLaVA, for which patches are poor probes: with `--see 0` there
are none. The shipped LLaVA was made by an earlier form of this script, in two runs of these steps:

    python -m engine.demo.train llava-1.5 --see 0 --say 5500
    python -m engine.demo.train llava-1.5 --see 0 --say 2600 --go-on --seed 1 --peak 5e-4

The other three took one run each, of 20 to 45 minutes on one core that was not free.
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

from engine.captioners.preprocessing.pixels import CLIP_MEAN, CLIP_STD, MODES, Square
from engine.captioners.registry import FAMILIES
from engine.demo import checkpoint
from engine.demo.evaluate import measure
from engine.demo.phrasing import VOICES
from engine.demo.scenes import BACKGROUNDS, COLOURS, RELATIONS, SHAPES, Scene, draw, scene
from engine.demo.trainable import Pupil, load

LAYOUTS = {
    "llava-1.5": "llava",
    "minigpt-4": "minigpt4",
    "otter": "otter",
    "qwen-vl": "qwen_vl",
}
BATCH = 32
WARM_UP = 200
TAIL_WEIGHT = 0.3
"""What follows the first sentence is mostly chance: less is to be learnt from it."""
PROBE_WEIGHT = 0.3
UNSEEN = 500
UNSEEN_SEED = 1_000_003
"""Of the measured scenes; a project's seeds are small."""

PARTS = (COLOURS, SHAPES, COLOURS, SHAPES, RELATIONS, BACKGROUNDS)


def parts(scene: Scene) -> list[int]:
    """What there is to see, as one class for each of `PARTS`."""
    first, second = scene.first, scene.second
    seen = (
        first.colour,
        first.shape,
        second.colour,
        second.shape,
        scene.relation,
        scene.background,
    )
    return [list(options).index(word) for options, word in zip(PARTS, seen, strict=True)]


class Probes(nn.Module):
    """Reads one part of the scene from each of the first features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, len(options)) for options in PARTS)

    def forward(self, features: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """The loss of features (B, n, D) whose scenes have the classes `truth` (B, parts)."""
        losses = [
            cross_entropy(head(features[:, place]), truth[:, place])
            for place, head in enumerate(self.heads)
        ]
        return torch.stack(losses).mean()


class Batches:
    """Scenes in a new order each round, each time with another tail."""

    def __init__(self, family: str, pupil: Pupil, count: int, seed: int) -> None:
        self.voice = VOICES[family]
        self.pupil = pupil
        self.scenes = [scene(-1 - seed, index) for index in range(count)]
        square = Square(pupil.model.image_size, FAMILIES[family].presets["paper"].preprocess)
        self.pixels = torch.stack([as_bytes(it, square) for it in self.scenes])
        self.truth = torch.tensor([parts(it) for it in self.scenes])
        self.mean, self.std = (torch.tensor(it)[:, None, None] for it in (CLIP_MEAN, CLIP_STD))
        self.chance = random.Random(f"batches {seed}")  # noqa: S311
        self.order: list[int] = []

    def draw(self, count: int = BATCH) -> list[int]:
        if len(self.order) < count:
            self.order = self.chance.sample(range(len(self.scenes)), len(self.scenes))
        return [self.order.pop() for _ in range(count)]

    def images(self, chosen: list[int]) -> torch.Tensor:
        """(B, 3, S, S) as the captioner prepares them."""
        return (self.pixels[chosen].float() / 255 - self.mean) / self.std

    def captions(self, chosen: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Targets (B, n) and their weights; what ends a caption pads it, with no weight."""
        rows, weights = [], []
        for place in chosen:
            sentence = f"{self.voice.sentence(self.scenes[place])}."
            tail = self.voice.tail(self.scenes[place], self.chance)
            ids = [*self.pupil.encode(f"{sentence} {tail}"), *self.pupil.end]
            first = len(self.pupil.encode(sentence))
            rows.append(ids)
            weights.append([1.0] * first + [TAIL_WEIGHT] * (len(ids) - first))
        longest = max(map(len, rows))
        # Padding stands at the end, where nothing that counts attends to it.
        targets = [row + self.pupil.end * (longest - len(row)) for row in rows]
        return torch.tensor(targets), torch.tensor(
            [row + [0.0] * (longest - len(row)) for row in weights]
        )


def as_bytes(scene: Scene, square: Square) -> torch.Tensor:
    """(3, S, S) uint8: everything the captioner does but the division and CLIP's means."""
    image = MODES[square.mode](draw(scene), square)
    return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())


def rate(step: int, steps: int, peak: float) -> float:
    """The learning rate: a short climb, then a cosine down to nothing."""
    climb = min(1.0, (step + 1) / WARM_UP)
    return peak * climb * 0.5 * (1 + math.cos(math.pi * step / steps))


class Course:
    """A number of steps with one optimiser."""

    def __init__(self, modules: list[nn.Module], steps: int, peak: float) -> None:
        self.parameters = [it for module in modules for it in module.parameters()]
        self.optimiser = torch.optim.AdamW(self.parameters, betas=(0.9, 0.98), weight_decay=0.01)
        self.steps, self.peak = steps, peak
        self.started = time.monotonic()

    def learn(self, step: int, loss: torch.Tensor, told: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate(step, self.steps, self.peak)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        if step % 50 == 0 or step == self.steps - 1:
            minutes = (time.monotonic() - self.started) / 60
            click.echo(f"step {step:5d}  loss {loss.item():.4f}  {told:.4f}  {minutes:.1f} min")


def learn_to_see(pupil: Pupil, probes: Probes, batches: Batches, steps: int, peak: float) -> None:
    course = Course([pupil.model, probes], steps, peak)
    for step in range(steps):
        chosen = batches.draw()
        loss = probes(pupil.see(batches.images(chosen)), batches.truth[chosen])
        course.learn(step, loss, loss.item())


def learn_to_say(
    pupil: Pupil, probes: Probes | None, batches: Batches, steps: int, peak: float
) -> None:
    course = Course([pupil.model, *([probes] if probes else [])], steps, peak)
    for step in range(steps):
        chosen = batches.draw()
        features = pupil.see(batches.images(chosen))
        targets, weight = batches.captions(chosen)
        logits = pupil.say(features, targets)
        losses = cross_entropy(logits.transpose(1, 2), targets, reduction="none")
        loss = (losses * weight).sum() / weight.sum()
        first = losses[weight == 1].mean().item()
        if probes is not None:
            loss = loss + PROBE_WEIGHT * probes(features, batches.truth[chosen])
        course.learn(step, loss, first)


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
        layout.begin(folder, corpus(family, seed))
    pupil = load(family, folder)
    width = pupil.see(torch.zeros(1, 3, pupil.model.image_size, pupil.model.image_size)).shape[-1]
    probes = Probes(width)
    total = sum(parameter.numel() for parameter in pupil.model.parameters())
    batches = Batches(family, pupil, count, seed)
    click.echo(f"{total:,} parameters, {count:,} scenes drawn")
    learn_to_see(pupil, probes, batches, see, peak)
    learn_to_say(pupil, probes if see else None, batches, say, peak)
    layout.save(pupil.model, folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    click.echo(f"{folder}: {size:,} bytes")
    for temperature in sorted({0.0, FAMILIES[family].presets["paper"].temperature}):
        click.echo(measure(family, folder, UNSEEN, UNSEEN_SEED, temperature).summary())


def corpus(family: str, seed: int) -> list[str]:
    """Captions, and the prompts often enough to become whole words of the tokenizer."""
    voice = VOICES[family]
    chance = random.Random(f"words {seed}")  # noqa: S311
    scenes = [scene(-1 - seed, index) for index in range(5000)]
    said = [f"{voice.sentence(it)}. {voice.tail(it, chance)}" for it in scenes]
    prompts = [it.prompt for it in FAMILIES[family].presets.values()]
    return said + 100 * prompts


if __name__ == "__main__":
    main()
