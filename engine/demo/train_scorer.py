"""Trains the demo's scorer, a CLIP, in its official layout. The product itself never runs this.

    python -m engine.demo.train_scorer

Images and captions of a batch are told apart as by CLIP (Radford et al. 2021, arXiv 2103.00020,
figure 3). Each image has captions besides that are wrong in one respect, as in NegCLIP (Yuksekgonul
et al. 2023, arXiv 2210.01936): without them a CLIP hardly learns relations.

The tower is the demo LLaVA's, whose patches show colours and shapes already. Only its last layer is
trained, which that LLaVA does not use, so that the patches are computed once. It learns first what
to take from them, by probes that read the parts of a scene from an image's embedding and are thrown
away; then texts are trained with it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from transformers import CLIPModel, CLIPTokenizer

from engine.captioners.preprocessing.pixels import CLIP_MEAN, CLIP_STD, SquarePreprocessor
from engine.demo import checkpoint
from engine.demo.alterations import ALTERATIONS, alter_colour, alter_shape
from engine.demo.layouts import clip
from engine.demo.layouts.llava import SIDE
from engine.demo.phrasing import PHRASINGS, Phrasing
from engine.demo.scenes import Scene, make_scene
from engine.demo.train import (
    SCENE_PARTS,
    UNSEEN_SCENES,
    UNSEEN_SEED,
    Probes,
    TrainingPhase,
    scene_classes,
    scene_pixels,
)
from engine.demo.truth_check import find_claims

BATCH = 48
"""Scenes per step."""
WRONG_CAPTIONS = 2
"""Wrong captions of each scene in a batch."""
TEXTS = 48
"""Texts that go through the text encoder together."""
SCENES = 200
"""Scenes that go through the tower together."""


SHORT = (
    "{first} and {second}",
    "{first}, {second} - buy this stock illustration",
    "{first} and {second} on {background}",
    "{first} stock photo",
    "{second} icon",
    "{second} on {background}",
)
"""Texts that say less than a whole sentence, as original captions do."""
SHORT_SHARE = 0.4
"""Share of captions in training that are short."""


def short_text(form: str, scene: Scene) -> str:
    return form.format(
        first=scene.first.name, second=scene.second.name, background=scene.background
    )


def drift(sentence: str, phrasing: Phrasing, scene: Scene, rng: random.Random) -> tuple[str, bool]:
    """Return a sentence with a continuation, and whether all claims of the whole hold."""
    text = f"{sentence}. {phrasing.continuation(scene, rng)}"
    return text, all(claim.holds for claim in find_claims(text, scene))


def caption_and_wrong_ones(scene: Scene, rng: random.Random) -> tuple[str, list[str]]:
    """Return a caption that is true of a scene, and captions that are not."""
    if rng.random() < SHORT_SHARE:
        form = rng.choice(SHORT)
        true = short_text(form, scene)
        wrong: list[str] = []
        while len(wrong) < WRONG_CAPTIONS:
            # Short texts do not say how the shapes lie.
            text = short_text(form, rng.choice((alter_colour, alter_shape))(scene, rng))
            if text != true:
                wrong.append(text)
        return true, wrong
    phrasing, end = rng.choice(list(PHRASINGS.values())), rng.choice(("", "."))
    alterations = rng.sample(list(ALTERATIONS.values()), WRONG_CAPTIONS)
    true = phrasing.sentence(scene)
    wrong = [f"{phrasing.sentence(alter(scene, rng))}{end}" for alter in alterations]
    drifted, holds = drift(true, phrasing, scene, rng)
    if holds:
        return drifted, wrong
    return f"{true}{end}", [drifted, *wrong[1:]] if rng.random() < 0.5 else wrong


class Batches:
    """Batches of drawn scenes with captions, in a new order each round."""

    def __init__(self, model: CLIPModel, count: int, seed: int) -> None:
        """Draw `count` scenes of a seed that no project has, and compute their patches."""
        self.scenes = [make_scene(-1 - seed, index) for index in range(count)]
        self.patches = patch_features(model, self.scenes)
        self.classes = torch.tensor([scene_classes(it) for it in self.scenes])
        self.rng = random.Random(f"batches {seed}")  # noqa: S311
        self.order: list[int] = []

    def next_batch(self) -> tuple[list[int], torch.Tensor, torch.Tensor]:
        """Return the scenes of a batch, their patches and the classes of their parts (B, parts)."""
        if len(self.order) < BATCH:
            self.order = self.rng.sample(range(len(self.scenes)), len(self.scenes))
        chosen = [self.order.pop() for _ in range(BATCH)]
        return chosen, self.patches[chosen].float(), self.classes[chosen]

    def captions(self, chosen: Sequence[int]) -> list[str]:
        """Return a true caption of each scene, and behind them those that are wrong."""
        pairs = [caption_and_wrong_ones(self.scenes[it], self.rng) for it in chosen]
        return [true for true, _ in pairs] + [text for _, wrong in pairs for text in wrong]


def pixel_values(scenes: Sequence[Scene]) -> torch.Tensor:
    """Return the images (N, 3, S, S) of scenes as the model takes them."""
    square = SquarePreprocessor(SIDE, "crop")
    mean, std = (torch.tensor(it)[:, None, None] for it in (CLIP_MEAN, CLIP_STD))
    return (torch.stack([scene_pixels(it, square) for it in scenes]).float() / 255 - mean) / std


@torch.no_grad()
def patch_features(model: CLIPModel, scenes: Sequence[Scene]) -> torch.Tensor:
    """Return what the tower's last layer gets of scenes: (N, patches, D) in float16."""
    tower, parts = model.vision_model, []
    for start in range(0, len(scenes), SCENES):
        states = tower.pre_layrnorm(tower.embeddings(pixel_values(scenes[start : start + SCENES])))
        for layer in tower.encoder.layers[:-1]:
            states = layer(states, None)
        parts.append(states.half())
    return torch.cat(parts)


def image_embeddings(model: CLIPModel, patches: torch.Tensor) -> torch.Tensor:
    """Return the embeddings (B, D) of images, by what the tower's last layer gets of them."""
    tower = model.vision_model
    pooled = tower.post_layernorm(tower.encoder.layers[-1](patches, None)[:, 0])
    embeddings: torch.Tensor = model.visual_projection(pooled)
    return embeddings


def text_embeddings(
    model: CLIPModel, tokenizer: CLIPTokenizer, texts: Sequence[str]
) -> torch.Tensor:
    """Return the embeddings (N, D) of texts, of length 1."""
    order = sorted(range(len(texts)), key=lambda it: len(texts[it]))
    parts = []
    for start in range(0, len(order), TEXTS):  # by length, so that little is padding
        part = [texts[it] for it in order[start : start + TEXTS]]
        tokens = tokenizer(part, padding=True, truncation=True, return_tensors="pt")
        parts.append(model.get_text_features(**tokens).pooler_output)
    places = torch.tensor(order).argsort()
    return normalize(torch.cat(parts)[places], dim=-1)


def read_parts(probes: Probes, images: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Return the loss of the probes, each of which reads the same embeddings (B, D)."""
    loss: torch.Tensor = probes(images[:, None].expand(-1, len(SCENE_PARTS), -1), classes)
    return loss


def batch_loss(images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return the loss of images (B, D) and texts (N, D), of which the first B are true."""
    logits = scale * images @ texts.T
    labels = torch.arange(len(images))
    return (cross_entropy(logits, labels) + cross_entropy(logits[:, labels].T, labels)) / 2


def area_under_curve(right: Sequence[float], wrong: Sequence[float]) -> float:
    """Return the share of pairs in which a right caption has the higher score, ties as halves."""
    difference = np.subtract.outer(np.array(right), np.array(wrong))
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


@torch.inference_mode()
def measure(model: CLIPModel, tokenizer: CLIPTokenizer, count: int, seed: int) -> dict[str, float]:
    """Return, for each kind of wrong caption, how well scores tell right ones from it (AUC).

    Captions are the first sentences of the demo models; `drifted` are those with a wrong
    continuation.
    """
    rng = random.Random(f"measure {seed}")  # noqa: S311
    scenes = [make_scene(seed, index) for index in range(count)]
    embeddings = model.get_image_features(pixel_values=pixel_values(scenes)).pooler_output
    images = normalize(embeddings, dim=-1)
    phrasings = list(PHRASINGS.values())
    spoken = [phrasings[index % len(phrasings)] for index in range(count)]

    def scores(texts: Sequence[str]) -> list[float]:
        found: list[float] = (images * text_embeddings(model, tokenizer, texts)).sum(-1).tolist()
        return found

    right = scores([it.sentence(scene) for it, scene in zip(spoken, scenes, strict=True)])
    results = {
        kind: area_under_curve(
            right,
            scores([it.sentence(alter(s, rng)) for it, s in zip(spoken, scenes, strict=True)]),
        )
        for kind, alter in ALTERATIONS.items()
    }
    drifts = [
        drift(it.sentence(scene), it, scene, rng) for it, scene in zip(spoken, scenes, strict=True)
    ]
    found = scores([text for text, _ in drifts])
    wrong = [score for score, (_, holds) in zip(found, drifts, strict=True) if not holds]
    return results | {"drifted": area_under_curve(right, wrong)}


@click.command()
@click.option("--see", default=1000, show_default=True, help="Steps of the tower's last layer.")
@click.option("--say", default=1000, show_default=True, help="Steps of that and the texts.")
@click.option("--scenes", "count", default=10_000, show_default=True, help="Drawn for training.")
@click.option("--seed", default=0, show_default=True)
@click.option("--peak", default=1e-3, show_default=True, help="The highest learning rate.")
@click.option("--threads", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Default: the shipped checkpoint.")
def main(
    see: int, say: int, count: int, seed: int, peak: float, threads: int, out: Path | None
) -> None:
    """Trains the demo's CLIP, then measures it on unseen scenes."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    rng = random.Random(f"words {seed}")  # noqa: S311
    drawn = [make_scene(-1 - seed, index) for index in range(5000)]
    corpus = [
        text
        for scene in drawn
        for it in PHRASINGS.values()
        for text in (drift(it.sentence(scene), it, scene, rng)[0], short_text(SHORT[1], scene))
    ]
    tokenizer = clip.build_tokenizer(corpus)
    model = clip.build_model(tokenizer, pixel_values(drawn[:SCENES]))
    batches = Batches(model, count, seed)
    click.echo(f"{model.num_parameters():,} parameters, {count:,} scenes drawn")
    probes = Probes(clip.WIDTH)
    seeing = [model.vision_model.encoder.layers[-1], model.vision_model.post_layernorm]
    seeing += [model.visual_projection, probes]
    phase = TrainingPhase(seeing, see, 2 * peak)
    for step in range(see):
        _, patches, classes = batches.next_batch()
        loss = read_parts(probes, image_embeddings(model, patches), classes)
        phase.run_step(step, loss, loss.item())
    saying = [model.text_model, model.text_projection, nn.ParameterList([model.logit_scale])]
    phase = TrainingPhase([*seeing, *saying], say, peak)
    for step in range(say):
        chosen, patches, classes = batches.next_batch()
        images = image_embeddings(model, patches)
        texts = text_embeddings(model, tokenizer, batches.captions(chosen))
        loss = batch_loss(normalize(images, dim=-1), texts, model.logit_scale.exp())
        phase.run_step(step, loss + read_parts(probes, images, classes), loss.item())
        if step % 250 == 249:
            click.echo(measure(model, tokenizer, UNSEEN_SCENES, UNSEEN_SEED))
    folder = out or checkpoint("score")
    clip.save(model, tokenizer, folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    click.echo(f"{folder}: {size:,} bytes")


if __name__ == "__main__":
    main()
