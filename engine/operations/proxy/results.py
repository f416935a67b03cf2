"""The results of a proxy's trainings, as clip_benchmark wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec

from engine.operations.proxy.proxy import EVALUATE_SCRIPT, PLAN_FILE, TRAIN_SCRIPT
from engine.utils.errors import BadInput

IMAGE_TO_TEXT, TEXT_TO_IMAGE = "text_retrieval_recall@1", "image_retrieval_recall@1"
"""clip_benchmark's names of recall at 1, of which it says what is retrieved."""


class Plan(msgspec.Struct):
    """What the file of a proxy says of it."""

    arms: list[str]
    seeds: int
    images: int
    test_images: int
    samples_seen: int


class Evaluation(msgspec.Struct):
    """The result of one test of one training."""

    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Cell:
    """The recalls at 1 of an arm in one test, of each seed that has been tested, 0 to 1."""

    arm: str
    test: str
    """A wording (`original` or a model's name), or a public data set."""
    image_to_text: Sequence[float]
    text_to_image: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyResults:
    """What a proxy's trainings have come to so far."""

    plan: Plan
    tests: list[str]
    cells: list[Cell]
    """Of each test, each arm that has been tested in it."""
    missing: list[str]
    """The trainings that have no result yet."""
    incomplete: dict[str, list[str]]
    """The trainings that lack tests which others have had, with these tests."""

    def as_dict(self) -> dict[str, Any]:
        """Return what `proxy-table --json` prints."""
        return {
            "images": self.plan.images,
            "test_images": self.plan.test_images,
            "samples_seen": self.plan.samples_seen,
            "missing": self.missing,
            "incomplete": self.incomplete,
            "results": [
                {
                    "test": cell.test,
                    "arm": cell.arm,
                    "image_to_text": summary(cell.image_to_text),
                    "text_to_image": summary(cell.text_to_image),
                }
                for cell in self.cells
            ],
        }


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Return the mean and the range of the seeds' values, and the values."""
    return {
        "mean": round(mean(values), 4),
        "lowest": min(values),
        "highest": max(values),
        "seeds": list(values),
    }


def read_results(folder: Path) -> ProxyResults:
    """Return the results in the folder of a proxy. Raises `BadInput`, also if there are none."""
    plan = read_plan(folder)
    values: dict[tuple[str, str], list[dict[str, float]]] = {}
    tested: dict[str, set[str]] = {}
    for arm in plan.arms:
        for seed in range(plan.seeds):
            files = sorted((folder / "results" / f"{arm}-{seed}").glob("*.json"))
            tested[f"{arm}-{seed}"] = {file.stem for file in files}
            for file in files:
                values.setdefault((file.stem, arm), []).append(read_metrics(file))
    if not values:
        raise BadInput(
            f"{folder} has no results yet: 'sh {folder / TRAIN_SCRIPT}' trains, then"
            f" 'sh {folder / EVALUATE_SCRIPT}' tests"
        )
    tests = list(dict.fromkeys(test for test, _ in values))
    cells = [
        cell_of(arm, test, values[test, arm])
        for test in tests
        for arm in plan.arms
        if (test, arm) in values
    ]
    missing = [name for name, found in tested.items() if not found]
    incomplete = {
        name: [test for test in tests if test not in found]
        for name, found in tested.items()
        if 0 < len(found) < len(tests)
    }
    return ProxyResults(plan=plan, tests=tests, cells=cells, missing=missing, incomplete=incomplete)


def cell_of(arm: str, test: str, metrics: Sequence[dict[str, float]]) -> Cell:
    """Return the recalls of an arm in a test. Raises `BadInput` if they are not there."""
    try:
        return Cell(
            arm,
            test,
            [each[IMAGE_TO_TEXT] for each in metrics],
            [each[TEXT_TO_IMAGE] for each in metrics],
        )
    except KeyError as error:
        raise BadInput(
            f"the results of {arm} in {test} have no {error}: evaluate with --recall_k 1"
        ) from error


def read_plan(folder: Path) -> Plan:
    """Return what a proxy is. Raises `BadInput` if the folder is none."""
    try:
        return msgspec.json.decode((folder / PLAN_FILE).read_bytes(), type=Plan)
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} was not made by 'proxy': it has no {PLAN_FILE}") from error


def read_metrics(file: Path) -> dict[str, float]:
    """Return the metrics of one test of one training. Raises `BadInput`."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Evaluation).metrics
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} is not a result of clip_benchmark: {error}") from error
