"""Finds the weights of `engine.quality.refusal_weights` from examples, and writes them.

    python -m tests.engine.quality.train_refusals         write the weights
    python -m tests.engine.quality.train_refusals folds   say how many mistakes others would make

The examples are the lines of `refusal_examples/`: refusals in many voices, and captions that sound
alike. No other test reads them. The model is a logistic regression with an L2 penalty, found by
Newton's method in its dual form, since there are fewer examples than features. Kinds of words and
pairs count less at first than single words (`SHARES`), since a text has more of them.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.quality import refusal_weights
from engine.quality.refusal_features import features_of
from engine.quality.refusals import LEAST_SCORE, has_cue
from engine.quality.words import words_of
from tests.support.photo_captions import IMAGINED, LOOKED_AT

Floats = NDArray[np.float64]
EXAMPLES = Path(__file__).parent / "refusal_examples"
SHARES = {"word": 1.0, "pair": 0.7, "kind": 0.5, "kinds": 0.4}
PENALTY = 0.5
EVERY = 2
JOINTS = (" of ", " with ", ", but it shows ", ". It shows ", ", and ", " in ", ", ", " next to ")
"""What may stand between a refusal and a description."""
LEAST_EXAMPLES = 3
"""In how many examples a feature must be."""
STEPS = 25
FOLDS = 5
WIDTH = 99
HEADER = '''"""The weights of refusals, as `tests.engine.quality.train_refusals` finds them."""

BIAS = {bias}
"""What a text weighs that has no feature with a weight."""
WEIGHTS = """
{lines}
"""
"""A weight and the features that have it, a row each (`engine.quality.refusal_features`)."""
'''


def read_examples() -> tuple[list[str], Floats]:
    """Return the examples that have a cue of a refusal, and 1 for each refusal among them."""
    texts: list[str] = []
    truth: list[float] = []
    for name, is_refusal in (("refusals", 1.0), ("captions", 0.0)):
        lines = (EXAMPLES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        found = [line for line in lines if has_cue(set(words_of(line)))]
        texts += found
        truth += [is_refusal] * len(found)
    return texts, np.array(truth)


def with_descriptions(texts: Sequence[str], truth: Floats) -> tuple[list[str], Floats]:
    """Return examples, and some of them once more with a description of something behind them.

    A model may say that it cannot name somebody, and then what he wears.
    """
    described = [caption for photo in (*LOOKED_AT, *IMAGINED) for caption in photo.captions]
    longer: list[str] = []
    labels: list[float] = []
    for label in (1.0, 0.0):
        # Refusals and captions get the same descriptions, so that these say nothing of a text.
        for number, i in enumerate(np.flatnonzero(truth == label)[::EVERY]):
            joint = JOINTS[number % len(JOINTS)]
            longer.append(texts[i].rstrip(".") + joint + described[number % len(described)].lower())
            labels.append(label)
    return [*texts, *longer], np.concatenate([truth, labels])


def share_of(feature: str) -> float:
    """Return how much a feature counts before its weight is found."""
    kinds = feature.count("<") + (feature[0] == "^") + (feature[-1] == "$")
    if "_" in feature:
        return SHARES["pair"]
    return SHARES["word"] if not kinds else SHARES["kind"] if kinds == 1 else SHARES["kinds"]


def matrix(features: Sequence[set[str]], columns: dict[str, int]) -> Floats:
    """Return a row for each text, with the share of each feature that it has."""
    rows = np.zeros((len(features), len(columns)))
    shares = {name: share_of(name) for name in columns}
    for row, some in zip(rows, features, strict=True):
        for name in some & columns.keys():
            row[columns[name]] = shares[name]
    return rows


def fit(rows: Floats, truth: Floats) -> tuple[Floats, float]:
    """Return the weights of the columns and the bias of a logistic regression."""
    products = rows @ rows.T
    duals, bias = np.zeros(len(truth)), 0.0
    for _ in range(STEPS):
        scores = np.clip(products @ duals + bias, -30, 30)
        chances = 1 / (1 + np.exp(-scores))
        curvature = np.maximum(chances * (1 - chances), 1e-4)
        targets = scores + (truth - chances) / curvature
        system = products + np.diag(PENALTY / curvature)
        solved = np.linalg.solve(system, np.stack([targets, np.ones(len(truth))], axis=1))
        bias = solved[:, 0].sum() / solved[:, 1].sum()
        newer = solved[:, 0] - bias * solved[:, 1]
        change, duals = np.abs(newer - duals).max(), newer
        if change < 1e-4:
            break
    return rows.T @ duals, float(bias)


def train(texts: Sequence[str], truth: Floats) -> tuple[dict[str, float], float]:
    """Return the weight of each feature and the bias, rounded to tenths."""
    texts, truth = with_descriptions(texts, truth)
    features = [features_of(text) for text in texts]
    counts = Counter(name for some in features for name in some)
    names = sorted(name for name, count in counts.items() if count >= LEAST_EXAMPLES)
    weights, bias = fit(matrix(features, {name: i for i, name in enumerate(names)}), truth)
    rounded = {
        name: round(float(weight) * share_of(name), 1)
        for name, weight in zip(names, weights, strict=True)
    }
    return {name: weight for name, weight in rounded.items() if weight}, round(bias, 1)


def score(text: str, weights: dict[str, float], bias: float) -> float:
    return bias + sum(weights.get(feature, 0.0) for feature in features_of(text))


def written(weights: dict[str, float], bias: float) -> str:
    """Return the module that holds these weights."""
    features = defaultdict[float, list[str]](list)
    for name, weight in sorted(weights.items()):
        features[weight].append(name)
    lines = []
    for weight in sorted(features, reverse=True):
        line = start = f"{weight:.1f}:"
        for name in features[weight]:
            if len(line) + len(name) >= WIDTH:
                lines.append(line)
                line = start
            line += f" {name}"
        lines.append(line)
    return HEADER.format(bias=bias, lines="\n".join(lines))


def folds(texts: list[str], truth: Floats) -> dict[str, Any]:
    """Return the mistakes on each fold by weights that were found from the others."""
    fold = np.random.default_rng(0).permutation(len(texts)) % FOLDS
    missed: list[str] = []
    wrong: list[str] = []
    for one in range(FOLDS):
        others = np.flatnonzero(fold != one)
        weights, bias = train([texts[i] for i in others], truth[others])
        for i in np.flatnonzero(fold == one):
            found = score(texts[i], weights, bias) > LEAST_SCORE
            if found != bool(truth[i]):
                (wrong if found else missed).append(texts[i])
    return {"refusals": int(truth.sum()), "captions": int((1 - truth).sum()),
            "missed": missed, "wrong": wrong}  # fmt: skip


def main() -> None:
    texts, truth = read_examples()
    if "folds" in sys.argv[1:]:
        found = folds(texts, truth)
        print("missed", *found["missed"], sep="\n  ")
        print("wrongly found", *found["wrong"], sep="\n  ")
        print(
            f"{len(found['missed'])} of {found['refusals']} refusals missed,"
            f" {len(found['wrong'])} of {found['captions']} captions wrongly found"
        )
        return
    Path(refusal_weights.__file__).write_text(written(*train(texts, truth)), encoding="utf-8")


if __name__ == "__main__":
    main()
