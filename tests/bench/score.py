"""A scorer as a worker beside plain loops of transformers, on the same images and captions.

One loop takes image by image, as model cards show it, the other batches; both use all cores. The
three take turns. Loading is not counted; everything from the first image to the last score is.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from db import projects
from db.connection import reading
from engine.captioners.registry import choose
from engine.demo import checkpoint
from engine.hardware.devices import find_devices
from engine.launchers.local import LocalLauncher
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.project.score_log import read_scores
from engine.quality.caption_digest import caption_digest
from tests.bench.bench_model import CaptioningRate
from tests.bench.engine import find_images
from tests.bench.engine_worker import WorkerTimingSupervisor
from tests.bench.measuring import measure
from tests.bench.report import report

COUNT = 960
"""Images, unless told otherwise."""
BATCH = 32
"""Images of a batch of the loop that takes batches."""
SCORER = "clip"
ORIGINAL = "a drawing of shapes, number {}"
"""The original captions."""


class Scored(NamedTuple):
    """What one side did."""

    rate: CaptioningRate
    scores: list[dict[str, float]]
    """The scores of each image's captions, by their digests."""


def main(cases: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench score", description=__doc__)
    parser.add_argument("--checkpoint", default="demo", help="DIR, demo or base (CLIP ViT-B/32)")
    parser.add_argument("--images", default="drawn", help="DIR or drawn")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args(cases)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = find_checkpoint(options.checkpoint, folder)
        images = find_images(options.images, options.count, folder)
        for number in range(options.rounds):
            run_round(options.checkpoint, model, images, folder / str(number))


def find_checkpoint(name: str, folder: Path) -> str:
    """Return the folder of a checkpoint; `base` is written below `folder`, with random weights."""
    if name == "demo":
        return str(checkpoint("score"))
    if name != "base":
        return str(Path(name).absolute())
    from tests.bench.base_clip import write_base

    return str(write_base(folder / "base"))


def run_round(name: str, model: str, images: list[str], folder: Path) -> None:
    """Measure all sides once, and report them."""
    folder.mkdir()
    ours: Scored = measure(run_scorer, model, images, folder).result
    captions = read_captions(folder)
    plain: Scored = measure(run_loop, model, images, captions, 1).result
    batches: Scored = measure(run_loop, model, images, captions, BATCH).result
    sides = {"worker": ours, "image_by_image": plain, "batches": batches}
    for side, scored in sides.items():
        report("score", f"{name} {side}", scored.rate.images, "images/s")
        report("score", f"{name} {side}_cpu", (scored.rate.cpu or 0.0) * 1e3, "ms/image")
    for side in ("image_by_image", "batches"):
        ratio = ours.rate.images / sides[side].rate.images
        report("score", f"{name} worker_over_{side}", ratio, "ratio")
    worst = difference(ours.scores, plain.scores)
    report("score", f"{name} difference", 1e6 * worst, "millionths of a cosine")


def difference(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> float:
    """Return the largest difference of the scores. Ends the bench if one is missing."""
    if [it.keys() for it in ours] != [it.keys() for it in theirs]:
        raise SystemExit("the worker and the loop scored different captions")
    return max(
        abs(one[digest] - other[digest])
        for one, other in zip(ours, theirs, strict=True)
        for digest in one
    )


def run_scorer(model: str, images: list[str], folder: Path) -> Scored:
    """Caption the images without a model, and score originals and captions in a worker."""
    captions = folder / "captions.json"
    records = [{"image": it, "caption": ORIGINAL.format(n)} for n, it in enumerate(images)]
    captions.write_text(json.dumps(records))
    models = [choose("dry-run"), choose(f"{SCORER}=score:{model}")]
    new_project = NewProject(captions=[captions], models=models, shard_size=100_000)
    project = create(folder / "run", new_project).project
    with ProjectLock(project.lock) as lock:
        launcher = LocalLauncher(project, find_devices("cpu"), "engine.worker.worker")
        supervisor = WorkerTimingSupervisor(project, launcher, spec="cpu", lock=lock)
        if not supervisor.run():
            raise SystemExit("the run did not finish")
    loaded, last = supervisor.loaded, supervisor.last
    rate = CaptioningRate(
        len(images) / (last.seconds - loaded.seconds), (last.cpu - loaded.cpu) / len(images)
    )
    with reading(project.database) as connection:
        scorer = next(it for it in projects.models(connection) if it.name == SCORER)
        (shard,) = projects.shards(connection)
    scores = read_scores(project, scorer, shard)
    return Scored(rate, [scores[index] for index in range(len(images))])


def read_captions(folder: Path) -> list[list[str]]:
    """Return the texts of each image that were scored: original, raw and sheared caption."""
    project = Project(folder / "run")
    (log,) = project.captions.glob("dry-run-*/00000.jsonl")
    (sheared,) = project.captions.glob("dry-run-*/00000.sheared-*.jsonl")
    raw = {row["i"]: row["raw"] for row in map(json.loads, log.read_text().splitlines())}
    # The last line of a sheared file is its digest.
    cut = [json.loads(line) for line in sheared.read_text().splitlines()[:-1]]
    originals = [it["caption"] for it in json.loads((folder / "captions.json").read_text())]
    return [[original, raw[n], cut[n]] for n, original in enumerate(originals)]


def run_loop(model: str, images: list[str], captions: list[list[str]], batch: int) -> Scored:
    """Score with transformers alone, as its documentation shows it."""
    # As in a worker: threads that wait must cost no CPU seconds. It counts before torch is loaded.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    import torch
    from PIL import Image
    from transformers import AutoModel, AutoProcessor

    clip: Any = AutoModel.from_pretrained(
        model, dtype=torch.float32, local_files_only=True, trust_remote_code=False
    ).eval()
    processor: Any = AutoProcessor.from_pretrained(
        model, local_files_only=True, trust_remote_code=False
    )
    scores: list[dict[str, float]] = []
    began, cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        for first in range(0, len(images), batch):
            pictures = [Image.open(it).convert("RGB") for it in images[first : first + batch]]
            texts = captions[first : first + batch]
            inputs = processor(
                text=[text for its_texts in texts for text in its_texts],
                images=pictures,
                padding=True,
                truncation=True,
                return_tensors="pt",
            )
            output = clip(**inputs)
            cosines = iter((output.text_embeds @ output.image_embeds.T).unbind())
            for column, its_texts in enumerate(texts):
                scores.append(
                    {caption_digest(it): float(next(cosines)[column]) for it in its_texts}
                )
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Scored(CaptioningRate(len(images) / seconds, cpu / len(images)), scores)
