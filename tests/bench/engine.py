"""Captioning at the speed of the hardware: upstream's loop, our worker, and its stages alone.

All use the same images and weights, one after the other in one run, each in a process of its own.
Loading is not counted; everything from the first image to the last caption is. With `--beside`,
another engine captions them, too, in turns with the worker, both greedily.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

from engine.captioners.registry import FAMILIES, Settings
from engine.captioners.settings import QUANTIZATIONS
from engine.demo.scenes import write_scenes
from engine.hardware.devices import visible_gpus
from engine.utils.cpu_count import usable_cores
from tests.bench.bench_model import BenchModel, CaptioningRate, GenerateRun
from tests.bench.beside import PEERS, run_beside
from tests.bench.engine_worker import WorkerRun, run_worker
from tests.bench.measuring import measure, measure_with_steal

DEMO = Path("engine/demo/checkpoints")
DRAWN_SIZE = (640, 480)
"""Width and height of the drawn images, in pixels."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MIXED_SIZES = (
    *((614, 410), (600, 400), (530, 354), (2048, 1365)),
    *((1024, 1024), (1000, 667), (640, 480), (570, 380)),
)
"""Width and height of images as data sets mix them, in pixels."""
COUNT, MEDIUM_COUNT, OPEN_COUNT, GPU_COUNT = 960, 96, 32, 4800
"""Number of images on a CPU, there with the medium model and with `hf`, and on a GPU: enough for
the batch to grow, and to caption with it then."""
HF = "hf"


def main(cases: list[str]) -> None:
    options = parse_options(cases)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = choose_model(options, folder)
        images = find_images(options.images, options.count or usual_count(options, model), folder)
        if model.family == HF:
            run_beside_generate(model, images, options.rounds, folder)
            return
        if not options.only_beside:
            run(model, images, folder)
        if options.beside:
            run_beside(model, options.beside, options.peer_python, options.rounds, images, folder)


def usual_count(options: argparse.Namespace, model: BenchModel) -> int:
    if model.device != "cpu":
        return GPU_COUNT
    if options.model == HF:
        return OPEN_COUNT
    return MEDIUM_COUNT if options.checkpoint == "medium" else COUNT


def parse_options(cases: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench engine", description=__doc__)
    parser.add_argument("--model", default="llava-1.5")
    parser.add_argument(
        "--checkpoint",
        default="demo",
        help="DIR, random-7b, medium (llava-1.5 only), demo or small; a tiny Qwen2.5-VL for hf",
    )
    parser.add_argument("--images", default="drawn", help="DIR, drawn or mixed (in their sizes)")
    parser.add_argument("--batch", type=int, help="the preset's, which grows in the worker")
    parser.add_argument("--count", type=int, help=f"{COUNT}, {GPU_COUNT} on a GPU")
    parser.add_argument("--device", default=None, help="cpu or cuda")
    parser.add_argument("--fast-decode", action="store_true")
    parser.add_argument("--no-graphs", action="store_true", help="launch every operation")
    parser.add_argument("--overlap", action="store_true", help="two batches at a time on a GPU")
    parser.add_argument("--quantize", choices=QUANTIZATIONS, default="none", help="not upstream's")
    parser.add_argument("--beside", choices=PEERS, help="another engine, in turns on the CPU")
    parser.add_argument("--only-beside", action="store_true", help="without all other figures")
    parser.add_argument("--peer-python", default=sys.executable, help="its interpreter")
    parser.add_argument("--rounds", type=int, default=1, help="turns of the worker and the other")
    return parser.parse_args(cases)


def find_images(source: str, count: int, folder: Path) -> list[str]:
    """Return the paths of `count` images of the source, repeated if it has fewer."""
    if source == "drawn":
        write_scenes(folder / "drawn", min(count, COUNT), 7, DRAWN_SIZE)
        paths = sorted((folder / "drawn/images").iterdir())
    elif source == "mixed":
        for number, size in enumerate(MIXED_SIZES):
            write_scenes(folder / f"mixed-{number}", 1, number, size)
        paths = sorted(folder.glob("mixed-*/images/*"))
    else:
        paths = sorted(path for path in Path(source).rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"no images in {source}")
    return [str(paths[number % len(paths)].absolute()) for number in range(count)]


def choose_model(options: argparse.Namespace, folder: Path) -> BenchModel:
    """Return the model that the options name. Ends the bench if this machine cannot run it."""
    device = options.device or ("cuda" if visible_gpus() else "cpu")
    name = checkpoint = options.checkpoint
    if checkpoint == "demo" and options.model == HF:
        from tests.bench.tiny_qwen import write_tiny_qwen

        name, checkpoint = "tiny Qwen2.5-VL", str(write_tiny_qwen(folder / "tiny"))
    elif checkpoint == "demo":
        checkpoint = str((DEMO / options.model).absolute())
        if not Path(checkpoint).is_dir():
            raise SystemExit(f"there is no demo checkpoint of {options.model}: --checkpoint small")
    elif checkpoint == "small":
        from tests.support.checkpoints import CHECKPOINTS

        checkpoint = str(CHECKPOINTS[options.model](folder / "small"))
    elif checkpoint == "medium":
        from tests.bench.medium_model import write_medium

        if options.model != "llava-1.5":
            raise SystemExit("the medium checkpoint is one of llava-1.5")
        checkpoint = str(write_medium(DEMO / options.model, folder / "medium"))
    elif checkpoint == "random-7b":
        from tests.bench.random_models import check_host_memory

        check_host_memory(options.model, device)
    else:
        name, checkpoint = Path(checkpoint).name, str(Path(checkpoint).absolute())
    changes: dict[str, Any] = {}
    if options.batch:
        changes |= {"batch": options.batch, "auto_batch": False}
    if options.fast_decode:
        changes["fast_decode"] = True
    if options.no_graphs:
        changes["graphs"] = False
    if options.overlap:
        changes["overlap"] = True
    if options.quantize != "none":
        changes["quantize"] = options.quantize
        check_quantize(options.quantize, device)
    if options.beside or options.model == HF:
        changes["temperature"] = 0.0
        if options.beside and device != "cpu":
            raise SystemExit("--beside compares on a CPU: --device cpu")
    paper = FAMILIES[options.model].presets["paper"]
    settings = Settings.of(asdict(paper) | changes)
    return BenchModel(options.model, name, checkpoint, settings, device)


def run(model: BenchModel, images: list[str], folder: Path) -> None:
    """Measure upstream's loop, the worker and the stages, and report all figures."""
    plain = model._replace(settings=replace(model.settings, quantize="none"))
    theirs, stolen = measure_with_steal(run_upstream, plain, images, folder)
    upstream_rate = theirs.result
    model.report("upstream", upstream_rate.images)
    model.report("upstream_stolen", stolen, "share of core time")
    model.report("upstream_cpu", upstream_rate.cpu * 1e3, "ms/image")
    model.report("upstream_memory", theirs.megabytes, "MB")
    ours, stolen = measure_with_steal(run_worker, model, images, folder / "alone")
    worker_run: WorkerRun = ours.result
    worker_rate, batch = worker_run.rate, worker_run.batch
    model.report("worker", worker_rate.images, baseline=upstream_rate.images)
    model.report("worker_stolen", stolen, "share of core time")
    model.report("worker_cpu", (worker_rate.cpu or 0.0) * 1e3, "ms/image", upstream_rate.cpu * 1e3)
    model.report("worker_memory", ours.megabytes, "MB")
    model.report("worker_batch", batch, "images")
    model.report("worker_start_up", worker_run.start_up, "s")
    model.report("worker_first_caption", worker_run.first_caption, "s")
    model.report("worker_first_caption_cpu", worker_run.first_caption_cpu, "s")
    model.report("worker_page_faults", worker_run.page_faults, "faults/image")
    alone = measure(stages_alone, model, images, batch).result
    for name, rate in alone.items():
        model.report(name, rate.images)
        if rate.cpu is not None:
            model.report(f"{name}_cpu", rate.cpu * 1e3, "ms/image")
    if model.device == "cpu":
        shared = measure_stages_side_by_side(model, images, batch)
        for name, rate in shared.items():
            model.report(f"{name}_beside_cpu", (rate.cpu or 0.0) * 1e3, "ms/image")
        model.report(
            "worker_over_limit_beside", worker_rate.images / hardware_limit(model, shared), "ratio"
        )
    model.report("worker_over_upstream", worker_rate.images / upstream_rate.images, "ratio")
    model.report("worker_over_limit", worker_rate.images / hardware_limit(model, alone), "ratio")
    bound = "ceiling" if model.device == "cpu" else "roofline"
    model.report(f"worker_over_{bound}", worker_rate.images / alone[bound].images, "ratio")


def run_beside_generate(model: BenchModel, images: list[str], rounds: int, folder: Path) -> None:
    """Measure an open model in the worker in turns with plain batched `generate`.

    Both keep of a picture what the checkpoint's files say.
    """
    for number in range(rounds):
        theirs, stolen = measure_with_steal(run_generate, model, images)
        plain: GenerateRun = theirs.result
        model.report("transformers", plain.rate.images)
        model.report("transformers_stolen", stolen, "share of core time")
        model.report("transformers_cpu", (plain.rate.cpu or 0.0) * 1e3, "ms/image")
        model.report("transformers_memory", theirs.megabytes, "MB")
        ours, stolen = measure_with_steal(run_worker, model, images, folder / f"round-{number}")
        run: WorkerRun = ours.result
        model.report("worker", run.rate.images, baseline=plain.rate.images)
        model.report("worker_stolen", stolen, "share of core time")
        cpu = [(rate.cpu or 0.0) * 1e3 for rate in (run.rate, plain.rate)]
        model.report("worker_cpu", cpu[0], "ms/image", cpu[1])
        model.report("worker_over_transformers_cpu", cpu[1] / cpu[0], "ratio")
        model.report("worker_memory", ours.megabytes, "MB", theirs.megabytes)
        model.report("worker_first_caption", run.first_caption, "s")
        model.report("worker_over_transformers", run.rate.images / plain.rate.images, "ratio")
        same = sum(map(str.__eq__, map(str.strip, run.texts), map(str.strip, plain.texts)))
        model.report("same_texts", same / len(images), "share")


def run_generate(model: BenchModel, images: list[str]) -> GenerateRun:
    """Run plain batched `generate`."""
    # Imported only in the process that runs it: it needs torch.
    from tests.bench.plain_generate import run_plain_generate

    result: GenerateRun = run_plain_generate(model, images)
    return result


def measure_stages_side_by_side(
    model: BenchModel, images: list[str], batch: int
) -> dict[str, CaptioningRate]:
    """Measure decoding on one half of the cores while the model runs on the other half.

    Both take longer than alone, since they share caches, memory bandwidth and power.
    """
    count = max(2, usable_cores())
    ready = get_context("spawn").Barrier(count)
    with ThreadPoolExecutor(count) as pool:
        halves = pool.map(
            lambda n: measure(stages_beside_others, model, images, batch, n % 2 == 1, ready).result,
            range(count),
        )
    rates_by_stage: dict[str, list[CaptioningRate]] = {}
    for half in halves:
        for name, rate in half.items():
            rates_by_stage.setdefault(name, []).append(rate)
    return {
        name: CaptioningRate(
            images=fmean(rate.images for rate in rates),
            cpu=fmean(rate.cpu or 0.0 for rate in rates),
        )
        for name, rates in rates_by_stage.items()
    }


def hardware_limit(model: BenchModel, alone: dict[str, CaptioningRate]) -> float:
    """Return the images a second that the hardware allows, from the rates of the stages alone."""
    if model.device == "cpu":
        return usable_cores() / sum(rate.cpu or 0.0 for rate in alone.values())
    generating = 1 / (1 / alone["prefill"].images + 1 / alone["decode_steps"].images)
    return min(alone["decode_all_cores"].images, generating)


def run_upstream(model: BenchModel, images: list[str], folder: Path) -> CaptioningRate:
    """Run upstream's loop."""
    # Imported only in the process that runs it: it needs torch.
    from tests.bench.upstream_engine import run_upstream_loop

    rate: CaptioningRate = run_upstream_loop(model, images, folder)
    return rate


def stages_alone(model: BenchModel, images: list[str], batch: int) -> dict[str, CaptioningRate]:
    """Measure each stage while nothing else runs."""
    # As in a worker: threads that wait must cost no CPU seconds. It counts before torch is loaded.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    from tests.bench.stages import measure_stages

    return measure_stages(model, images, batch)


def check_quantize(how: str, device: str) -> None:
    """End the bench with a message if this machine cannot quantize so."""
    from engine.captioners.base import CheckpointError
    from engine.captioners.checkpoints.quantization import check_quantization

    try:
        check_quantization(how, device)
    except CheckpointError as error:
        raise SystemExit(str(error)) from error


def stages_beside_others(model: BenchModel, *arguments: Any) -> dict[str, CaptioningRate]:
    """Measure decoding, or the model's stages, while other processes measure, too."""
    from tests.bench.stages import measure_stages_beside_others

    return measure_stages_beside_others(model, *arguments)
