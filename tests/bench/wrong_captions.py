"""Agreement: how well it finds wrong captions and wrong originals, and its speed.

    python -m tests.bench wrong-captions [CASE...]

On demo scenes the truth is known. Since the demo's models are mostly right, they are made worse:
`temperature` samples them hotter, `noise` adds noise to their weights, each to one model beside
three good ones and to all four; `early`, only if it is named, trains two of them anew for few steps
(some ten minutes on a core). `photos` takes captions of photographs, which are imitations;
`people=Flickr8k.token.txt`, a file of Flickr8k, those that people wrote. AUROC is the probability
that a wrong caption has less support than a right one.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median

import torch

from engine.demo import checkpoint
from engine.demo.evaluate import caption_scenes
from engine.demo.phrasing import PHRASINGS
from engine.demo.scenes import Scene, alt_text, make_scene
from engine.demo.train import LAYOUTS
from engine.demo.trainable import load_trainable
from engine.quality.agreement import agreement_of
from engine.shearing.shear import Shearing, shear_text
from tests.bench.report import report
from tests.support.agreement_trial import (
    OriginalTrial,
    auroc,
    count_verdicts,
    is_contradicted,
    try_captions,
    try_originals,
    try_photo_originals,
    try_photos,
)
from tests.support.photo_captions import HELD_OUT, IMAGINED, LOOKED_AT, MODELS

BENCH = "wrong-captions"
COUNT = 500
"""Scenes."""
SEED = 4242
FAMILIES = tuple(PHRASINGS)
TEMPERATURE = 0.2
HOT = 2.0
NOISE = 0.4
"""Standard deviations of a weight matrix that are added to it as noise."""
EARLY = {"otter": ("400", "700"), "minigpt-4": ("400", "600")}
"""Steps of training: of the vision side alone, then of the whole."""
PEOPLE_SEED = 7
PEOPLE = slice(500, 2500)
"""Which photographs of Flickr8k, shuffled by this seed: those by which nothing was chosen."""
ROUNDS = 20
"""How often all scenes are compared for the speed."""

Captions = dict[str, list[str]]
"""Sheared captions of the scenes, by the name of a model."""


def main(cases: list[str]) -> None:
    torch.set_num_threads(1)
    cases = cases or ["temperature", "noise", "photos"]
    if "photos" in cases:
        photographs()
    for case in cases:
        if case.startswith("people="):
            captions_by_people(Path(case.removeprefix("people=")))
    if all(case == "photos" or case.startswith("people=") for case in cases):
        return
    scenes = [make_scene(SEED, index) for index in range(COUNT)]
    good = {family: captions_of(family, checkpoint(family), TEMPERATURE) for family in FAMILIES}
    report_originals("the four models", scenes, good)
    speed(scenes, good)
    if "temperature" in cases:
        hot = {family: captions_of(family, checkpoint(family), HOT) for family in FAMILIES}
        report_worse("temperature 2", scenes, good, hot)
    with tempfile.TemporaryDirectory() as folder:
        if "noise" in cases:
            noisy = {
                family: captions_of(family, add_noise(family, Path(folder) / family), TEMPERATURE)
                for family in FAMILIES
            }
            report_worse("noise on weights", scenes, good, noisy)
        if "early" in cases:
            early = {
                family: captions_of(family, train(family, Path(folder) / "early"), TEMPERATURE)
                for family in EARLY
            }
            report_worse("early checkpoint", scenes, good, early)


def captions_of(family: str, folder: Path, temperature: float) -> list[str]:
    """Return the sheared captions of the scenes by a checkpoint."""
    captions = caption_scenes(family, folder, COUNT, SEED, temperature)
    return [shear_text(each.raw, family, Shearing(), each.finish)[0] for each in captions]


def add_noise(family: str, folder: Path) -> Path:
    """Write the demo's checkpoint with noise on its weights into a folder, and return that."""
    shutil.copytree(checkpoint(family), folder)
    model = load_trainable(family, folder)
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for matrix in model.module.parameters():
            if matrix.dim() > 1:
                noise = torch.randn(matrix.shape, generator=generator)
                matrix.add_(noise * matrix.std() * NOISE)
    import_module(f"engine.demo.layouts.{LAYOUTS[family]}").save_trained(model.module, folder)
    return folder


def train(family: str, folder: Path) -> Path:
    """Train a checkpoint for few steps in a folder, and return its own."""
    see, say = EARLY[family]
    out = folder / family
    command = [sys.executable, "-m", "engine.demo.train", family, "--see", see, "--say", say]
    subprocess.run(
        [*command, "--scenes", "6000", "--out", str(out)], check=True, stdout=subprocess.DEVNULL
    )
    return out


def report_worse(case: str, scenes: Sequence[Scene], good: Captions, worse: Captions) -> None:
    """Report how well wrong captions are found, of one worse model beside good ones, and of all."""
    wrong: list[float] = []
    right: list[float] = []
    for family, captions in worse.items():
        found = try_captions(scenes, good | {family: captions})
        wrong += found[0]
        right += found[1]
    report_support(f"{case}, one model", wrong, right)
    report_support(f"{case}, {len(worse)} models", *try_captions(scenes, good | worse))
    report_originals(f"{case}, {len(worse)} models", scenes, good | worse)


def report_support(case: str, wrong: Sequence[float], right: Sequence[float]) -> None:
    report(BENCH, f"{case}, wrong captions", len(wrong) / (len(wrong) + len(right)), "share")
    report(BENCH, f"{case}, AUROC", auroc(wrong, right), "probability")


def report_originals(case: str, scenes: Sequence[Scene], captions: Captions) -> None:
    report_trial(f"{case}, originals of others", try_originals(scenes, captions, SEED))


def report_trial(case: str, trial: OriginalTrial) -> None:
    report(BENCH, case, trial.wrong, "originals")
    report(BENCH, f"{case}, precision", trial.precision, "share")
    report(BENCH, f"{case}, recall", trial.recall, "share")
    report(BENCH, f"{case}, right originals", trial.right, "originals")
    report(BENCH, f"{case}, right originals contradicted", trial.false_share, "share")


def photographs() -> None:
    """Report the same of captions of photographs."""
    for name, photos in (("looked at", LOOKED_AT), ("imagined", IMAGINED), ("held out", HELD_OUT)):
        right, others, details = try_photos(photos)
        case = f"{len(photos)} photographs {name}"
        report(BENCH, f"{case}, AUROC, captions of others", auroc(others, right), "probability")
        report(BENCH, f"{case}, AUROC, wrong details", auroc(details, right), "probability")
        for kind, support in (("right", right), ("others'", others), ("wrong details", details)):
            report(BENCH, f"{case}, median support, {kind}", median(support), "support")
        report_trial(f"{case}, originals of others", try_photo_originals(photos))


def captions_by_people(path: Path) -> None:
    """Report how well wrong originals are found among captions by people, five a photograph: four
    stand for models, and the fifth is an original, beside those of two other photographs."""
    by_photo: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, _, text = line.partition("\t")
        by_photo.setdefault(name.partition("#")[0], []).append(text)
    photos = [by_photo[name] for name in sorted(by_photo) if len(by_photo[name]) == len(MODELS) + 1]
    random.Random(PEOPLE_SEED).shuffle(photos)
    held_out = photos[PEOPLE]
    rng = random.Random(SEED)
    verdicts = []
    for place, texts in enumerate(held_out):
        own = place % len(texts)
        captions = dict(zip(MODELS, texts[:own] + texts[own + 1 :], strict=True))
        verdicts.append((True, is_contradicted(texts[own], captions)))
        for other in rng.choices(held_out, k=2):
            if other is not texts:
                verdicts.append((False, is_contradicted(rng.choice(other), captions)))
    case = f"{len(held_out)} photographs, captions by people"
    report_trial(f"{case}, originals of others", count_verdicts(verdicts))


def speed(scenes: Sequence[Scene], captions: Captions) -> None:
    """Report how many records are compared a CPU second, each with four captions."""
    demo = [
        (alt_text(scene), {name: texts[place] for name, texts in captions.items()})
        for place, scene in enumerate(scenes)
    ]
    photos = [
        (photo.originals[0], dict(zip(MODELS, photo.captions, strict=True)))
        for photo in (*LOOKED_AT, *IMAGINED)
    ]
    for name, records in (("scenes", demo), ("photographs", photos)):
        report(BENCH, f"speed, {name}", records_a_second(records), "records/CPU s")


def records_a_second(records: Sequence[tuple[str, Mapping[str, str]]]) -> float:
    rounds = ROUNDS * COUNT // len(records)
    began = time.process_time()
    for _ in range(rounds):
        for original, captions in records:
            agreement_of(original, captions)
    return rounds * len(records) / (time.process_time() - began)
