"""A search finds what a look at each caption finds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.engine.base import Connection

from db import flags, projects, ratings
from db.connection import reading, writing
from db.rows import Rating, RecordKey
from db.tables import SHARD
from engine.operations.quality import measure_quality
from engine.operations.search.matches import Matches, ShardMatches
from engine.operations.search.run_search import run_search
from engine.operations.search.seen_texts import SeenTexts
from engine.project.layout import Project
from engine.project.log_rows import digest
from engine.quality.defects import DefectFinder
from engine.quality.words import words_of
from engine.shearing.shear import Shearing, make_shearer
from engine.utils import jsonlines
from engine.utils.errors import BadInput
from tests.support.fake_scorer import scores_of
from tests.support.judged_project import (
    MODELS,
    SHARD_SIZE,
    SHARDS,
    copy_judged_project,
    make_judged_project,
    original,
    raw_caption,
)
from tests.support.small_project import RECORDS, make_project


def found(project: Project, text: str, names: Sequence[str] = ()) -> list[RecordKey]:
    """Return the keys of the records that a search finds."""
    matches = Matches(())
    damage = run_search(project, text, names, progress=lambda done, total, part: matches.add(part))
    assert not damage
    keys = matches.keys(range(len(matches)))
    assert keys == sorted(keys)
    assert [matches.place_after(key) for key in keys] == list(range(1, len(keys) + 1))
    return keys


# A finished project


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_judged_project(tmp_path_factory.mktemp("judged") / "p")


class Caption(NamedTuple):
    """A caption as a search should see it."""

    key: RecordKey
    image: str
    original: str
    model: str
    raw: str
    sheared: str
    defects: int
    score: float


def captions() -> Iterator[Caption]:
    finder, shear = (
        DefectFinder("en", ["Describe this image in detail."]),
        make_shearer("dry-run", Shearing()),
    )
    for number in range(SHARDS * SHARD_SIZE):
        for model in MODELS:
            raw = raw_caption(model, number)
            text = shear(raw, "stop")
            words = words_of(text)
            defects = finder.find(raw, "stop", text, words, frozenset(words))
            (score,) = scores_of(text).values()
            key, image = divmod(number, SHARD_SIZE), f"{number:03}.jpg"
            yield Caption(key, image, original(number), model, raw, text, defects, score)


LOOP, REFUSAL, LEAK = 4, 8, 16
FLAGGED = ((0, 3), (2, 1))
EXPECTED: dict[str, Callable[[Caption], object]] = {
    "standing": lambda it: "standing" in it.raw,
    "STANDING": lambda it: "standing" in it.raw,
    "otter:dog": lambda it: it.model == "otter" and "dog" in it.raw,
    "שלום": lambda it: "שלום" in it.raw,
    '"near a beach"': lambda it: "near a beach" in it.raw,
    "camera words<8": lambda it: "camera" in it.raw and len(it.sheared.split()) < 8,
    "not words<8": lambda it: len(it.sheared.split()) >= 8,
    "loop": lambda it: it.defects & LOOP,
    "-loop otter:": lambda it: it.model == "otter" and not it.defects & LOOP,
    "refusal": lambda it: it.defects & REFUSAL,
    "leak": lambda it: it.defects & LEAK,
    "cut": lambda it: False,
    "score<0.3": lambda it: it.score < 0.3,
    "clip>=0.3 qwen:horse": lambda it: (
        it.score >= 0.3 and it.model == "qwen-vl" and "horse" in it.raw
    ),
    "-model:otter -model:qwen sheep": lambda it: it.model == "llava-1.5" and "sheep" in it.raw,
    "original:dog": lambda it: "dog" in it.original,
    "dog -original:dog": lambda it: "dog" in it.raw and "dog" not in it.original,
    "original:": lambda it: True,
    "original:BEACH path:1": lambda it: "beach" in it.original and "1" in it.image,
    "otter:loop path:01 not path:0.jpg": lambda it: (
        it.model == "otter" and it.defects & LOOP and "01" in it.image and "0.jpg" not in it.image
    ),
    "failed": lambda it: False,
    "flagged": lambda it: it.key in FLAGGED or (it.model == "otter" and it.key == (1, 2)),
    "llava:flagged -standing": lambda it: (
        it.model == "llava-1.5" and it.key in FLAGGED and "standing" not in it.raw
    ),
    "rated:good": lambda it: it.model == "otter" and it.key == (0, 5),
    "otter:rated:good": lambda it: it.model == "otter" and it.key == (0, 5),
    "llava:rated:good": lambda it: False,
    "otter:rated:bad": lambda it: it.model == "otter" and it.key == (1, 2),
    "otter:camera -otter:rated:good": lambda it: (
        it.model == "otter" and "camera" in it.raw and it.key != (0, 5)
    ),
}


@pytest.mark.parametrize("counted", [False, True], ids=["first look", "after quality"])
def test_a_search_finds_what_each_caption_is(tmp_path: Path, counted: bool) -> None:
    project = copy_judged_project(tmp_path / "p")
    with writing(project.database) as connection:
        flags.change(connection, FLAGGED, [])
        otter = next(each for each in projects.models(connection) if each.name == "otter")
        rated = {(0, 5): Rating(True, "exact"), (1, 2): Rating(False, "")}
        keys = {(*key, otter.id, otter.settings_hash): each for key, each in rated.items()}
        ratings.change(connection, keys, [])
    if counted:
        measure_quality(project)
    known = list(captions())
    for text, is_met in EXPECTED.items():
        assert found(project, text) == sorted({it.key for it in known if is_met(it)}), text
    first = {it.sheared: it.key for it in reversed(known) if it.model == "otter"}
    repeated = [it.key for it in known if it.model == "otter" and first[it.sheared] != it.key]
    assert found(project, "otter:dup") == repeated
    assert found(project, "otter:dup", ["otter"]) == found(project, "dup")
    disagree = found(project, "disagree")
    assert {(0, 7), (0, 9)} <= set(disagree)
    assert found(project, "agree<0.1") == disagree
    assert not set(found(project, "llava:agree>0.1")) & {(0, 7), (0, 9)}


def test_models_that_are_named_must_all_have_such_a_caption(judged: Project) -> None:
    loops = set(found(judged, "otter:loop"))
    dogs = set(found(judged, "llava:dog"))
    assert found(judged, "otter:loop llava:dog") == sorted(loops & dogs)
    assert found(judged, "dog -otter:loop") == sorted(set(found(judged, "dog")) - loops)
    with pytest.raises(BadInput, match="there is no model 'otter'"):
        found(judged, "otter:dog", ["llava-1.5"])


def test_one_model_agrees_with_none(tmp_path: Path) -> None:
    project = make_judged_project(tmp_path / "p", models=["otter"], scorer=False)
    with pytest.raises(BadInput, match="compare the captions of several models"):
        found(project, "disagree")


def test_a_damaged_log_is_told_and_left_out(tmp_path: Path) -> None:
    project = copy_judged_project(tmp_path / "p")
    with reading(project.database) as connection:
        otter = next(each for each in projects.models(connection) if each.name == "otter")
    log = project.caption_log_file(otter, 1)
    log.write_bytes(log.read_bytes().replace(b"dog", b"cow"))
    matches = Matches(())
    damage = run_search(
        project, "otter:camera", progress=lambda done, total, part: matches.add(part)
    )
    assert [each.path for each in damage] == [log]
    assert {shard for shard, _ in matches.keys(range(len(matches)))} == {0}


def test_a_damaged_shard_is_told_and_left_out(tmp_path: Path) -> None:
    project = copy_judged_project(tmp_path / "p")
    shard = project.shard_file(1)
    shard.write_bytes(shard.read_bytes().replace(b"dog", b"cow"))
    matches = Matches(())
    damage = run_search(
        project, "original:near", progress=lambda done, total, part: matches.add(part)
    )
    assert [(each.path, each.shard) for each in damage] == [(shard, 1)]
    assert {number for number, _ in matches.keys(range(len(matches)))} == {0, 2}


# Logs that still grow


TERMS: tuple[str, ...] = (
    "dog",
    "-dog",
    "dry:dog",
    "-dry:dog",
    "words<2",
    "failed",
    "dry:words>1",
    "not words>2",
)
TERMS += ("missing", "served:É", "-failed")
OF_RECORDS: dict[str, Callable[[str, str], bool]] = {
    "original:dog": lambda image, original: "dog" in original.lower(),
    "-original:É": lambda image, original: "é" not in original.lower(),
    "original:": lambda image, original: original != "",
    "path:2.jpg": lambda image, original: "2.jpg" in image,
    'not path:"É 0"': lambda image, original: "é 0" not in image.lower(),
    'path:"\\"': lambda image, original: "\\" in image,
}
"""Terms of records, each with what it says of the path and the original, empty for none."""
ORIGINALS = ('a "dog"', "CAFÉ", "", None, 7)


def rows() -> st.SearchStrategy[dict[str, object]]:
    texts = st.sampled_from(["dog", "A Dog", 'a "dog"', "CAFÉ é", "two\nlines dog", "cat", ""])
    index = st.integers(0, RECORDS - 1)
    caption = st.fixed_dictionaries(
        {"i": index, "raw": texts, "tokens": st.just(2), "finish": st.just("stop")}
    )
    error = st.fixed_dictionaries(
        {"i": index, "error": st.just("missing"), "detail": st.sampled_from(["dog.jpg", "x"])}
    )
    return st.one_of(caption, caption, error)


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of two models and three shards whose tasks are pending."""
    project = make_project(tmp_path_factory.mktemp("growing") / "p")
    project.shards.mkdir()
    with writing(project.database) as connection:
        for shard in range(3):
            records = [
                dict(zip(("image", "caption"), record_of(shard, i), strict=True))
                for i in range(RECORDS)
            ]
            write = jsonlines.dumps if shard else lambda record: json.dumps(record).encode()
            data = b"".join(write(record) + b"\n" for record in records)
            project.shard_file(shard).write_bytes(data)
            row = update(SHARD).where(SHARD.c.number == shard)
            connection.execute(row.values(digest=digest(data)))
    return project


def record_of(shard: int, i: int) -> tuple[str, object]:
    """Return the image path and the original caption of a record."""
    number = shard * RECORDS + i
    letter = "É a\\"[number % 4]
    return f"{letter} {number}.jpg", ORIGINALS[number % len(ORIGINALS)]


def is_of(term: str, shard: int, i: int) -> bool:
    """Return True if a record meets a term of `OF_RECORDS`."""
    image, original = record_of(shard, i)
    return OF_RECORDS[term](image, original if isinstance(original, str) else "")


@given(
    st.lists(st.lists(rows(), max_size=7), min_size=6, max_size=6),
    st.lists(st.sampled_from([*TERMS, *OF_RECORDS]), min_size=1, max_size=3),
    st.sampled_from([b"", b'{"i": 1, "raw": "do', b"\0" * 40]),
)
def test_logs_that_grow(
    growing: Project, logs: list[list[dict[str, object]]], terms: list[str], tail: bytes
) -> None:
    """Retries, errors and a torn tail: the last caption counts, and no error replaces one."""
    with reading(growing.database) as connection:
        names = write_logs(growing, connection, logs, tail)
    expected = []
    of_records = [term for term in terms if term in OF_RECORDS]
    others = [term for term in terms if term not in OF_RECORDS]
    for shard in range(3):
        of_models = {name: last_rows(logs[3 * n + shard]) for n, name in enumerate(names)}
        expected += [
            (shard, i)
            for i in range(RECORDS)
            if meets(of_models, i, others) and all(is_of(term, shard, i) for term in of_records)
        ]
    assert found(growing, " ".join(terms)) == expected


def write_logs(
    project: Project, connection: Connection, logs: list[list[dict[str, object]]], tail: bytes
) -> list[str]:
    """Write the log of each model's shards, and return the names of the models."""
    models = projects.models(connection)
    for n, model in enumerate(models):
        for shard in range(3):
            log = project.caption_log_file(model, shard)
            log.parent.mkdir(parents=True, exist_ok=True)
            lines = (jsonlines.dumps(row) + b"\n" for row in logs[3 * n + shard])
            log.write_bytes(b"".join(lines) + tail)
    return [model.name for model in models]


def last_rows(log: list[dict[str, object]]) -> dict[int, dict[str, str]]:
    """Return the row that counts of each record."""
    counts: dict[int, dict[str, str]] = {}
    for row in json.loads(json.dumps(log)):
        if "raw" in row or "raw" not in counts.get(row["i"], {}):
            counts[row["i"]] = row
    return counts


def meets(of_models: dict[str, dict[int, dict[str, str]]], i: int, terms: list[str]) -> bool:
    """Return True if a record meets all terms."""
    kind = "error" if "failed" in terms else "raw"
    rows = {name: row for name, log in of_models.items() if kind in (row := log.get(i, {}))}
    free = [term for term in terms if ":" not in term]
    named: dict[str, list[str]] = {}
    for term in terms:
        if ":" in term and not term.startswith("-"):
            prefix, _, inner = term.partition(":")
            named.setdefault(prefix, []).append(inner)
    excluded = "-dry:dog" in terms
    if excluded and any(is_met("dog", row) for name, row in rows.items() if name == "dry-run"):
        return False
    groups = named or {"": []}
    return all(
        any(
            all(is_met(term, row) for term in [*free, *own])
            for name, row in rows.items()
            if name.startswith(prefix)
        )
        for prefix, own in groups.items()
    )


def is_met(term: str, row: dict[str, str]) -> bool:
    """Return True if a row meets a term without a model."""
    if term.startswith("not "):
        return not is_met(term.removeprefix("not "), row)
    if term.startswith("-"):
        return not is_met(term[1:], row)
    if term == "failed":
        return "error" in row
    if term.startswith("words"):
        if "raw" not in row:
            return False
        words = len(make_shearer("dry-run", Shearing())(row["raw"], "stop").split())
        return words < int(term[-1]) if term[5] == "<" else words > int(term[-1])
    text = row["raw"] if "raw" in row else f"{row['error']}: {row['detail']}"
    return term.lower() in text.lower()


# Parts


@given(st.lists(st.lists(st.integers(0, 9), max_size=8), max_size=8))
def test_texts_that_were_seen(parts: list[list[int]]) -> None:
    seen, known = SeenTexts(), set[int]()
    for part in parts:
        expected = []
        for value in part:
            expected.append(value in known)
            known |= {value} - {0}
        assert seen.add(np.array(part, np.uint64)).tolist() == expected
        assert sum(map(len, seen.runs)) == len(known), "each is kept once"


def test_places_of_what_was_found() -> None:
    matches = Matches(["a", "b"])
    for shard, indices, models in ((2, [1, 5], [1, 0]), (3, [], []), (4, [0], [1])):
        part = ShardMatches(shard, np.array(indices, np.uint32), np.array(models, np.uint8))
        matches.add(part)
    assert matches.keys(range(3)) == [(2, 1), (2, 5), (4, 0)]
    assert [matches.model_of(key) for key in matches.keys(range(3))] == ["b", "a", "b"]
    places = [((0, 9), 0), ((2, 0), 0), ((2, 1), 1), ((2, 9), 2), ((3, 7), 2), ((9, 0), 3)]
    assert [(key, matches.place_after(key)) for key, _ in places] == places
