"""Filters by quality in exports: what stays is what a plain count of the same captions leaves."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from engine.datasets import JointCaptions
from engine.datasets.exports import first_pass
from engine.datasets.exports.export import (
    ExportCancelled,
    ExportOptions,
    ExportProgress,
    count_captions,
    export,
)
from engine.operations.new_project import NewProject, create
from engine.operations.quality import measure_quality
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.quality.agreement import agreement_of
from engine.quality.caption_digest import caption_digest
from engine.quality.quality_filter import QualityFilter
from engine.utils.errors import BadInput
from tests.support.cli import cli, cli_ok
from tests.support.pictures import make_captions
from tests.support.projects import model_choice, write_captions

COUNT, SHARD = 60, 25
ANIMALS = ("dog", "cat", "bird", "horse", "fish", "goat", "cow")


def raw(model: str, n: int) -> str | None:
    """Return what a model says of a record; None where it fails."""
    animal = ANIMALS[n % 7]
    if model == "one":
        return {
            0: f"red {animal} red {animal} red {animal} {n}",  # a loop
            1: f"<think>{n}?</think>",  # sheared to nothing
            2: f"A {animal} {n} near ASSISTANT: water",  # a leak
            3: f"A {animal}",  # a duplicate of that of seven records before
            4: None,
            5: f"A {animal} {n} by a lake<|im_end|>",  # a leak that shearing cuts
        }.get(n % 10, f"A {animal} {n} by a lake")
    return f"A {animal}" if n % 4 == 3 else f"One {animal} {n} beside a lake"


def sheared(model: str, n: int) -> str | None:
    """Return what an export has of it without a filter."""
    text = raw(model, n)
    return None if text is None else re.sub(r"<\|.*|<think>.*", "", text) or None


def score(model: str, n: int) -> float | None:
    """Return the score of a caption by `clip`, which has not come to the last ten records.

    What both models say has one score.
    """
    if n >= COUNT - 10:
        return None
    if model == "one" and sheared("one", n) == sheared("two", n):
        model = "two"
    return round({"original": 0.3, "one": 0.2, "two": 0.25}[model] + n % 8 / 100, 2)


def expected(leaves: Any, models: Sequence[str] = ("one", "two")) -> list[str]:
    """Return the captions that stay where `leaves(model, n, text)` is true, in input order."""
    texts = [(model, n, sheared(model, n)) for n in range(COUNT) for model in models]
    return [text for model, n, text in texts if text is not None and leaves(model, n, text)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filters")
    captions = make_captions(folder, COUNT)
    models = [model_choice("one"), model_choice("two")]
    clip = model_choice("clip")
    clip = type(clip)(
        name="clip", family="score", checkpoint="/c", settings={}, settings_hash="clip"
    )
    project = create(
        folder / "run", NewProject(captions=[captions], models=[*models, clip], shard_size=SHARD)
    ).project

    def row(model: str, shard: int, i: int) -> dict[str, Any]:
        n = shard * SHARD + i
        if model == "clip":
            texts = {"original": f"alt text {n}", "one": sheared("one", n), "two": raw("two", n)}
            named = {text: score(name, n) for name, text in texts.items() if text}
            scores = {caption_digest(text): it for text, it in named.items() if it is not None}
            return {"scores": scores} if scores else {"error": "refused", "detail": ""}
        text = raw(model, n)
        if text is None:
            return {"error": "poison", "detail": ""}
        return {"raw": text, "tokens": 3, "finish": "stop"}

    write_captions(project, row)
    return project.folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    return open_project(shutil.copytree(template, tmp_path / "run"))


def exported(project: Project, out: Path, *options: str) -> list[str]:
    cli_ok("export", project.folder, out, "--force", *options)
    return [each["caption"] for each in json.loads(out.read_text())]


def is_loop(text: str) -> bool:
    return text.startswith("red")


def is_leak(text: str) -> bool:
    return "ASSISTANT" in text


def test_without_leaves_each_caption_by_itself(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert exported(project, out) == expected(lambda *_: True)
    assert exported(project, out, "--without", "loops") == expected(
        lambda model, n, text: not is_loop(text)
    )
    assert exported(project, out, "--without", "loops, leaks") == expected(
        lambda model, n, text: not is_loop(text) and not is_leak(text)
    )


def test_what_is_left_out_is_what_quality_counts(project: Project) -> None:
    measured = {each.name: each for each in measure_quality(project)}
    for name in ("loops", "leaks", "duplicates", "near_duplicates", "truncated"):
        options = ExportOptions(quality=QualityFilter(without=(name,)))
        counted = count_captions(project, options)
        for column in counted.columns:
            quality = measured[column.name]
            judged = quality.left.get(name, quality.health[name])
            assert column.left_out.get(name, 0) == judged
    one = measured["one"]
    assert (one.health["leaks"], one.left["leaks"]) == (18, 6)


def test_duplicates_and_the_same_as_another(project: Project, tmp_path: Path) -> None:
    seen: set[tuple[str, str]] = set()

    def is_first(model: str, n: int, text: str) -> bool:
        new = (model, text) not in seen
        seen.add((model, text))
        return new

    out = tmp_path / "out.json"
    assert exported(project, out, "--without", "duplicates") == expected(is_first)
    same = exported(project, out, "--without", "same_as_other")
    assert same == expected(lambda model, n, text: model == "one" or text != sheared("one", n))
    alone = exported(project, out, "--without", "same_as_other", "--model", "two")
    assert alone == expected(lambda *_: True, ["two"])


def test_scores(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out.json"

    def at_least(model: str, n: int, text: str) -> bool:
        it = score(model, n)
        return it is not None and it >= 0.27

    assert exported(project, out, "--min-score", "clip=0.27") == expected(at_least)
    best = exported(project, out, "--best", "1")
    assert best == expected(lambda model, n, text: n < COUNT - 10 and model == "two")
    options = ExportOptions(quality=QualityFilter(best=1))
    counted = count_captions(project, options)
    assert counted.columns[1].left_out["not scored yet"] == 10
    assert "not scored yet" in counted.counts.sum_line()
    said = cli_ok("export", project.folder, "--count", "--best", "1")
    assert "'mllmaug-tui run' scores the 18 captions not scored yet" in said


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_best_share_by_score(project: Project, tmp_path: Path, share: float) -> None:
    texts = [
        (score(model, n), sheared(model, n)) for n in range(COUNT - 10) for model in ("one", "two")
    ]
    scores = sorted((it for it, text in texts if text and it is not None), reverse=True)
    captions = exported(project, tmp_path / "out.json", "--keep-share", str(share))
    assert len(captions) == int(len(scores) * share + 0.5)
    worst = scores[len(captions) - 1]
    sure = expected(lambda model, n, text: (score(model, n) or 0) > worst)
    assert set(sure) <= set(captions)


def test_originals_have_a_rule_of_their_own(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    drop = ("--with-original", "--drop-original-when")
    captions = exported(project, out, *drop, "score<0.35")
    kept = [n for n in range(COUNT) if (score("original", n) or 1) >= 0.35]
    assert [text for text in captions if text.startswith("alt")] == [f"alt text {n}" for n in kept]
    assert [text for text in captions if not text.startswith("alt")] == expected(lambda *_: True)
    captions = exported(project, out, *drop, "contradicted")
    said = [
        {model: text for model in ("one", "two") if (text := sheared(model, n))}
        for n in range(COUNT)
    ]
    kept = [
        n for n in range(COUNT) if agreement_of(f"alt text {n}", said[n]).original != "contradicted"
    ]
    assert [text for text in captions if text.startswith("alt")] == [f"alt text {n}" for n in kept]


def test_agreement(project: Project, tmp_path: Path) -> None:
    def agrees(model: str, n: int, text: str) -> bool:
        said = {name: it for name in ("one", "two") if (it := sheared(name, n))}
        support = agreement_of(f"alt text {n}", said).support[model]
        return support is not None and support >= 0.5

    captions = exported(project, tmp_path / "out.json", "--min-agree", "0.5")
    assert captions == expected(agrees)
    alone = exported(project, tmp_path / "out.json", "--min-agree", "0.5", "--model", "two")
    assert alone == expected(agrees, ["two"])


FILTERS = (
    "--without loops,leaks,duplicates,same_as_other --best 1 --keep-share 0.5",
    "--without leaks --min-words 3 --only-flagged",
    "--with-original --drop-original-when contradicted,score<0.33 --min-agree 0.2"
    " --without-flagged",
    "--keep-share 0.4 --by random --share-seed 3 --only-finished --text two",
)


@pytest.mark.parametrize("options", FILTERS)
@pytest.mark.parametrize("form", ["json", "openclip", "columns", "laclip", "parquet"])
def test_what_was_read_is_written_or_left_out(
    project: Project, tmp_path: Path, form: str, options: str
) -> None:
    words = options.split()
    if form != "openclip" and "--text" in words:
        words = words[:-2]
    cli_ok("flag", project.folder, "0:3", "2:1")
    cli_ok("flag", project.folder, "0/5", "0/6", "--model", "two", "--reason", "no such dog")
    said = cli_ok("export", project.folder, tmp_path / "out", "--format", form, *words)
    for line in said.splitlines()[-1].split("; "):
        total, _, parts = line.partition(" = ")
        numbers = [int(number) for number in re.findall(r"(?:^|\+ )(\d+) ", parts)]
        assert len(numbers) == parts.count("+") + 1
        assert int(total.split()[0]) == sum(numbers)


@pytest.mark.parametrize("options", FILTERS[:3])
def test_the_count_is_what_is_written(project: Project, tmp_path: Path, options: str) -> None:
    cli_ok("flag", project.folder, "0:3", "0/4", "--model", "two")
    out = tmp_path / "out.json"
    counted = cli_ok("export", project.folder, out, "--count", *options.split())
    assert not out.exists()
    assert cli_ok("export", project.folder, "--dry-run", *options.split()) == counted
    said = cli_ok("export", project.folder, out, *options.split())
    assert said.startswith(counted)
    summed = counted.splitlines()[-1].removeprefix("to be written, if format and --text take it: ")
    assert said.splitlines()[-1] == summed
    captions = re.search(r"captions = (\d+) written", summed)
    assert captions
    assert len(json.loads(out.read_text())) == int(captions[1])


def test_flagged_captions(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    cli_ok("flag", project.folder, "1/0")
    cli_ok("flag", project.folder, "0/5", "--model", "two", "--reason", "no such dog")
    cli_ok("flag", project.folder, "0/6", "--model", "original")
    flagged = [sheared("two", 5), "alt text 6", "alt text 25", sheared("one", 25)]
    flagged.append(sheared("two", 25))
    assert exported(project, out, "--only-flagged", "--with-original") == flagged
    every = exported(project, out, "--with-original")
    rest = exported(project, out, "--with-original", "--without-flagged")
    assert len(rest) == len(every) - len(flagged)
    assert set(rest).isdisjoint(flagged)
    data = JointCaptions(project.folder, only_flagged=True)
    assert [caption for sample in data for caption in sample.captions] == flagged


@pytest.mark.parametrize("form", ["columns", "parquet", "hub", "wds", "hf"])
def test_columns_of_quality(project: Project, tmp_path: Path, form: str) -> None:
    cli_ok("flag", project.folder, "0:8", "--model", "two", "--reason", "no such dog")
    cli_ok("flag", project.folder, "0:9", "--model", "one")
    out = tmp_path / "out"
    options = ["--format", form, "--quality-columns", "--with-original", "--without", "loops"]
    cli_ok("export", project.folder, out, *options)
    rows = list(rows_of(form, out))
    assert len(rows) == COUNT
    health = {n: rows[n]["health"] for n in (2, 4, 5, 10)}
    assert {n: (each["one"], each["two"]) for n, each in health.items()} == {
        2: ("leaks", ""),
        4: (None, ""),
        5: ("", ""),
        10: ("loops", ""),
    }
    assert (rows[10]["original"], rows[10]["one"]) == ("alt text 10", None)
    for n, row in enumerate(rows):
        said = {name: text for name in ("one", "two") if (text := sheared(name, n))}
        found = agreement_of(f"alt text {n}", said)
        assert row["agreement"] == {name: found.support.get(name) for name in ("one", "two")}
        verdict = "contradicted" if found.original == "contradicted" else ""
        assert row["health"]["original"] == verdict
        names = ["original", *said]
        assert row["scores"]["clip"] == {
            name: score(name, n) if name in names else None for name in ("original", "one", "two")
        }
    assert rows[8]["flags"] == {"original": "", "one": "", "two": "no such dog"}
    assert rows[9]["flags"] == {"original": "", "one": "flagged", "two": ""}
    if form == "columns":
        captions = [sample.captions for sample in JointCaptions(out)]
        kept = JointCaptions(project.folder, without="loops")
        assert captions == [sample.captions for sample in kept]
    if form == "hub":
        assert "`--without loops`" in (out / "README.md").read_text()
    if form == "parquet":
        about = pq.read_schema(out).metadata
        assert about[b"mllmaug_filters"] == b"--without loops"


def rows_of(form: str, out: Path) -> Iterable[dict[str, Any]]:
    """Return the rows of an export of this format."""
    if form in ("columns", "hf"):
        lines = (out / "metadata.jsonl" if form == "hf" else out).read_text().splitlines()
        return map(json.loads, lines)
    if form == "wds":
        return samples_in(out)
    path = out if form == "parquet" else next((out / "data").iterdir())
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def samples_in(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON of each sample in a folder of tars."""
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".json"):
                    file = tar.extractfile(member)
                    assert file is not None
                    yield json.load(file)


def test_a_format_without_columns_has_none_of_quality(project: Project, tmp_path: Path) -> None:
    result = cli("export", project.folder, tmp_path / "out", "--quality-columns")
    assert result.returncode == 2
    assert "the json format cannot hold quality-columns" in result.stderr


def test_flags_of_captions_are_listed(project: Project) -> None:
    cli_ok("flag", project.folder, "0/5", "--model", "two", "--reason", "no [dog]")
    cli_ok("flag", project.folder, "1:0", "--model", "original")
    listed = json.loads(cli_ok("samples", project.folder, "--flagged", "--json"))
    assert [(each["shard"], each["i"], each["flagged"]) for each in listed] == [
        (0, 5, False),
        (1, 0, False),
    ]
    assert [each["ratings"] for each in listed] == [
        {"two": {"good": False, "reason": "no [dog]"}},
        {"original": {"good": False, "reason": ""}},
    ]
    shown = cli_ok("samples", project.folder, "--flagged")
    assert "the caption of two is bad: no [dog]" in shown
    cli_ok("flag", project.folder, "0/5", "--model", "two", "--undo")
    assert "two is bad" not in cli_ok("samples", project.folder, "--flagged")


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (("--reason", "x"), "give it with --model NAME"),
        (("--model", "two", "--reason", "x", "--undo"), "give it with --model NAME"),
        (("--model", "three"), "the project has no model 'three'"),
        (("--model", "clip"), "clip is a scorer and writes no captions"),
        (("--model", "two", "--reason", "x" * 1001), "1,000 characters at most, not 1,001"),
    ],
)
def test_flags_that_make_no_sense(project: Project, options: tuple[str, ...], answer: str) -> None:
    result = cli("flag", project.folder, "0:5", *options)
    assert result.returncode == 2
    assert answer in result.stderr


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (("--without", "loop"), "there is no defect 'loop'"),
        (("--min-score", "clip=2"), "a score lies between -1 and 1"),
        (("--min-score", "blip=0.2"), "there is no scorer 'blip': the project has clip"),
        (("--drop-original-when", "contradicted"), "needs the originals: give --with-original"),
        (("--only-flagged", "--without-flagged"), "give one of them"),
        (("--model", "clip"), "clip"),
        (("--share-seed", "4"), "--share-seed is that of --keep-share"),
        (("--without", " "), "--without names no defect"),
        (("--best", "2", "--by", "random"), "--best chooses by a score, and 'random' is no scorer"),
        (
            ("--with-original", "--drop-original-when", "score<0.2", "--by", "random"),
            "score<X chooses by a score, and 'random' is no scorer: leave --by out",
        ),
    ],
)
def test_bad_input_writes_nothing(
    project: Project, tmp_path: Path, options: tuple[str, ...], answer: str
) -> None:
    result = cli("export", project.folder, tmp_path / "out.json", *options)
    assert result.returncode == 2
    assert answer in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "out.json").exists()


def test_near_duplicates_of_a_large_set(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_pass, "SAMPLE", COUNT - 1)
    options = ExportOptions(quality=QualityFilter(without=("near_duplicates",)))
    with pytest.raises(BadInput, match=r"among 59 captions .* 60 records: leave near_duplicates"):
        count_captions(project, options)


def test_readonly_leaves_no_file(project: Project) -> None:
    before = sorted(project.folder.rglob("*"))
    options = ExportOptions(quality=QualityFilter(without=("loops",)))
    counted = count_captions(project, options, readonly=True)
    assert counted.columns[0].left_out == {"loops": 6}
    assert sorted(project.folder.rglob("*")) == before


def test_the_first_pass_can_be_cancelled(project: Project, tmp_path: Path) -> None:
    seen: list[ExportProgress] = []
    options = ExportOptions(quality=QualityFilter(without=("loops",)))
    with pytest.raises(ExportCancelled):
        export(project, tmp_path / "o.json", options, seen.append, lambda: len(seen) == 2)
    assert [(step.shards_done, step.counting) for step in seen] == [(1, True), (2, True)]
    assert not (tmp_path / "o.json").exists()


def test_joint_captions_take_the_same(project: Project, tmp_path: Path) -> None:
    data = JointCaptions(
        project.folder,
        with_original=False,
        without="loops,leaks",
        min_score={"clip": 0.22},
        best=1,
        drop_original_when=(),
    )
    captions = exported(
        project,
        tmp_path / "o.json",
        *["--without", "loops,leaks", "--min-score", "clip=0.22", "--best", "1"],
    )
    assert [caption for sample in data for caption in sample.captions] == captions
    assert data.rows.left_out["loops"] == 6
    sentences = JointCaptions(project.folder, without="loops", draw="random_sentence")
    assert sentences.rows.left_out == {"loops": 6}
    with pytest.raises(BadInput, match=r"need the project: .* \(--without loops --best 1\)"):
        JointCaptions(tmp_path / "o.json", without="loops", best=1)
    with pytest.raises(BadInput, match="needs the project"):
        JointCaptions(tmp_path / "o.json", only_flagged=True)


def test_joint_captions_name_their_arguments(project: Project) -> None:
    for arguments, message in (
        ({"min_score": "clip=0.3"}, r"min_score is a mapping .* {'clip': 0.2}, not 'clip=0.3'"),
        ({"best": 0}, "^best is the number of captions"),
        ({"min_agree": 2}, "^min_agree must be a share"),
        ({"share_seed": 4}, "^share_seed is that of keep_share: give keep_share S"),
        ({"only_flagged": True, "without_flagged": True}, "^only_flagged takes what without_"),
        (
            {"with_original": False, "drop_original_when": "contradicted"},
            "^drop_original_when needs the originals: give with_original",
        ),
    ):
        with pytest.raises(BadInput, match=message):
            JointCaptions(project.folder, **arguments)


def test_captions_with_too_few_words_have_that_reason(project: Project) -> None:
    texts = [text for n in range(COUNT) if (text := sheared("one", n))]
    short = sum(len(text.split()) < 6 for text in texts)
    said = cli_ok("export", project.folder, "--count", "--min-words", "6", "--without", "loops")
    counted = f"{len(texts) - short - 6} of {len(texts)} captions stay"
    assert f"one: {counted}; left out: {short} with too few words, 6 loops" in said
    of_both = short + sum(len((sheared("two", n) or "").split()) < 6 for n in range(COUNT))
    assert f" + {of_both} with too few words + 6 loops" in said.splitlines()[-1]


@pytest.mark.parametrize(
    "options",
    [
        ("--min-score", "clip=0.99"),
        ("--min-words", "50"),
        ("--only-flagged",),
        ("--only-flagged", "--without", "loops"),
    ],
)
def test_an_export_of_nothing_replaces_no_file(
    project: Project, tmp_path: Path, options: tuple[str, ...]
) -> None:
    out = tmp_path / "out.json"
    out.write_text("good")
    result = cli("export", project.folder, out, "--force", *options)
    assert result.returncode == 2
    assert f"nothing was written: no caption is left by {options[0]}" in result.stderr
    assert out.read_text() == "good"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == ["out.json"]


@pytest.mark.parametrize("options", [(), ("--good", "--bad"), ("--bad", "--undo")])
def test_a_rating_is_one(project: Project, options: tuple[str, ...]) -> None:
    result = cli("rate", project.folder, "0/5", "--model", "two", *options)
    assert (result.returncode, "give one rating" in result.stderr) == (2, True)
    assert "nothing is flagged" in cli_ok("samples", project.folder, "--flagged")


def test_ratings_are_counted_listed_and_left_out(project: Project, tmp_path: Path) -> None:
    cli_ok("rate", project.folder, "0/5", "1:0", "--model", "two", "--good", "--reason", "exact")
    said = cli_ok("rate", project.folder, "0/6", "--model", "two", "--bad", "--reason", "no [dog]")
    assert said == "two: rated bad: 00000/6\n"
    listed = json.loads(cli_ok("samples", project.folder, "--rated", "good", "--json"))
    assert [(each["shard"], each["i"]) for each in listed] == [(0, 5), (1, 0)]
    assert listed[0]["ratings"] == {"two": {"good": True, "reason": "exact"}}
    assert json.loads(cli_ok("samples", project.folder, "--rated", "bad", "--json"))[0]["i"] == 6
    counted = json.loads(cli_ok("quality", project.folder, "--json"))["models"]
    ratings = {each["name"]: each["ratings"] for each in counted}
    assert ratings["two"] == {"good": 2, "bad": 1}
    assert ratings["one"] == {"good": 0, "bad": 0}
    assert "2 of 3 (66.7%)" in cli_ok("quality", project.folder)
    texts = exported(project, tmp_path / "out.json", "--without-flagged")
    assert sheared("two", 5) in texts
    assert sheared("two", 6) not in texts
    cli_ok("rate", project.folder, "0/6", "--model", "two", "--undo")
    assert sheared("two", 6) in exported(project, tmp_path / "again.json", "--without-flagged")
    for arguments, why in (
        (["--model", "two"], "--good or --bad"),
        (["--model", "two", "--undo", "--reason", "x"], "--reason says why"),
        (["--model", "blip", "--good"], "blip"),
    ):
        result = cli("rate", project.folder, "0:5", *arguments)
        assert result.returncode == 2
        assert why in result.stderr
