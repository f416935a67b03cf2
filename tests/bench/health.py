"""Caption health: how well planted defects are found, and how many captions a second are counted.

Each kind of defect is planted in one of a hundred captions. The confusion table has a line for
every kind that was planted and every name under which some of it was found. Captions that other
people wrote and labelled are tried as well. Speed is of one core,
from the sheared caption to the counts: all checks, near duplicates and style. Four models
share the work on the original of an image. A second look at a finished project, of which everything
is counted, has the first one as its baseline.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine.operations.quality import measure_quality
from engine.quality.batch_finder import Caption
from engine.quality.defects import BEYOND_CLIP, EVERY_DEFECT, DefectFinder
from engine.quality.facts import OriginalFacts
from engine.quality.near_duplicates import find_near_duplicates
from engine.quality.shard_health import ShardHealth
from engine.quality.style import style_of
from engine.quality.vocabulary import Vocabulary
from engine.shearing.shear import make_shearer
from tests.bench.bench_data import SHARD_SIZE, make_project
from tests.bench.measuring import cpu_seconds, measure, sizes
from tests.bench.report import report
from tests.support.detector_trial import FAMILY, SHEARING, try_detector
from tests.support.labelled_captions import try_labelled
from tests.support.planted_captions import planted

SHARE = 0.01
"""Share of the captions with each kind of defect."""
SEED = 11
MODELS = 4
TURNS = 5


def main(cases: list[str]) -> None:
    written_by_others()
    for count in sizes(cases, 20_000):
        detection(count)
        speed(count)
        two_looks(count)


def detection(count: int) -> None:
    """Report precision and recall of each defect, and the confusion table."""
    trial = try_detector(count, SHARE, SEED)
    for name, score in trial.scores.items():
        report("health", f"{name}, precision", score.precision, "share")
        report("health", f"{name}, recall", score.recall, "share")
    for (kind, name), captions in sorted(trial.confusion.items()):
        report("health", f"planted {kind}, found {name}", captions, "captions")


def written_by_others() -> None:
    """Report what is found in the captions that other people wrote and labelled."""
    trial = try_labelled()
    for name, score in trial.scores.items():
        report("health", f"by others: {name}, precision", score.precision, "share")
        report("health", f"by others: {name}, recall", score.recall, "share")
    good, bad = len(trial.good_called_bad), len(trial.bad_called_good)
    report("health", f"by others: {trial.good} good ones called bad", good, "captions")
    report("health", f"by others: {trial.bad} bad ones called good", bad, "captions")


def speed(count: int) -> None:
    """Report captions a CPU second, for everything and without the two costly checks."""
    captions, originals = planted(count, SHARE, SEED)
    shear = make_shearer(FAMILY, SHEARING)
    sheared = [
        Caption(i, raw, finish, shear(raw, finish))
        for i, (raw, finish) in enumerate((caption.raw, caption.finish) for caption in captions)
    ]
    texts = [originals[i] for i in range(count)]
    vocabulary = Vocabulary()
    facts = OriginalFacts(texts, vocabulary)

    def count_all(wanted: int, in_sample: bool = False) -> ShardHealth:
        health = ShardHealth.of_nothing(count, in_sample)
        finder = DefectFinder("en", ["Describe this image in detail."], wanted)
        health.add_captions(finder, sheared, vocabulary, facts if in_sample else None)
        return health

    without_clip = EVERY_DEFECT & ~BEYOND_CLIP
    gc.collect()
    gc.disable()  # as in the processes of a pool
    of_originals = seconds(lambda: OriginalFacts(texts, vocabulary))
    everything = seconds(lambda: count_all(EVERY_DEFECT, in_sample=True))
    without = seconds(lambda: count_all(without_clip, in_sample=True))
    outside = seconds(lambda: count_all(EVERY_DEFECT))
    outside_without = seconds(lambda: count_all(without_clip))
    sample = count_all(without_clip, in_sample=True).sample or []
    near = seconds(lambda: find_near_duplicates(sample))
    style = seconds(lambda: style_of(sample))
    gc.enable()
    rates = {
        "everything, in the sample": of_originals / MODELS + everything + near + style,
        "the same without near duplicates and CLIP": of_originals / MODELS + without + style,
        "everything, outside of the sample": outside,
        "the same without CLIP": outside_without,
    }
    for name, cost in rates.items():
        report("health", name, count / cost, "captions/CPU s")
    for name, cost in (("near duplicates", near), ("style", style)):
        report("health", f"{name} alone", cost / count * 1e6, "us/caption")


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work: the fewest of `TURNS`, if other work disturbs it."""
    turns = []
    for _ in range(TURNS):
        began = time.process_time()
        work()
        turns.append(time.process_time() - began)
    return min(turns)


def two_looks(count: int) -> None:
    """Report CPU seconds and memory of the first look at a project, and CPU of a second one."""
    with tempfile.TemporaryDirectory() as name:
        project = make_project(Path(name) / "run", max(count, SHARD_SIZE), MODELS)
        first = measure(measure_quality, project)
        captions = sum(model.captions for model in first.result)
        began = cpu_seconds()
        measure_quality(project)
        again = cpu_seconds() - began
    million = 1e6 / captions
    report("health", f"{captions}, first look", first.cpu * million, "CPU s/million")
    report(
        "health", f"{captions}, second look", again * million, "CPU s/million", first.cpu * million
    )
    report("health", f"{captions}, peak memory", first.megabytes, "MB")
