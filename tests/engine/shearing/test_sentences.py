"""Shearing by sentences: the splitter, cut sentences, shearing a project again, statistics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.operations.new_project import NewProject, create
from engine.process import pool
from engine.project.layout import Project
from engine.shearing.sentences import (
    DANGLING,
    all_sentences,
    first_sentence,
    first_sentence_complete,
    split_by_sentencex,
    split_first_sentence,
)
from engine.shearing.shear import Shearing, shear
from tests.bench.sentences import hard_cases
from tests.support.cli import cli, cli_ok
from tests.support.pictures import make_captions
from tests.support.projects import model_choice, write_captions

SENTENCE = Shearing("sentence")


def test_the_splitter_is_right_on_most_hard_cases() -> None:
    correct = [split_first_sentence(text) == first for first, text in hard_cases()]
    assert len(correct) > 200
    assert sum(correct) / len(correct) > 0.94


@pytest.mark.parametrize(
    ("raw", "finish", "text", "ended"),
    [
        ("A dog runs. It is", "length", "A dog runs.", True),
        ("A dog runs on the", "length", "A dog runs", False),
        ("A dog runs on the", "stop", "A dog runs on the", True),
        ("A dog runs, and", "length", "A dog runs", False),
        ("A dog is 3.5 feet tall and of", "length", "A dog is 3.5 feet tall", False),
        ("A dog runs.", "length", "A dog runs.", True),
        ("Is it a dog? Yes.", "stop", "Is it a dog?", True),
        ("Assistant: A dog runs.### Human:", "stop", "A dog runs.", True),
        ("A dog\nruns. It is", "stop", "A dog runs.", True),
        ("A dog runs\n\nThe cat", "length", "A dog runs", False),
        ("the of a", "length", "", False),
        ("", "stop", "", True),
    ],
)
def test_the_first_sentence_is_kept(raw: str, finish: str, text: str, ended: bool) -> None:
    sheared, sentence_ended = first_sentence(raw, finish, None)
    assert sheared == text
    if "\n\n" not in raw:
        assert sentence_ended == ended


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("what a day! a boy runs in the rain. he laughs.", "what a day!"),
        ("is it a hat? a man wears it.", "is it a hat?"),
        ("A goose! It hisses.", "A goose!"),
        ("A bench in a park.she reads a book.", "A bench in a park."),
        ("The site bbc.com is open.", "The site bbc.com is open."),
        ("A bowl of soup\nKeywords: soup, bowl", "A bowl of soup"),
        ("A bowl of soup\n#soup #lunch", "A bowl of soup"),
        ("A bowl of soup\n**Note:** It is hot.", "A bowl of soup"),
        ("A bowl of soup\nCaption 2: A spoon", "A bowl of soup"),
        ("A bowl of soup\nwith a spoon: made of wood", "A bowl of soup with a spoon: made of wood"),
        ("The photo shows:\n\n- a bowl\n- a spoon", "The photo shows: - a bowl - a spoon"),
        ("The photo shows:\n\n1. A bowl\n2. A spoon", "The photo shows: 1. A bowl"),
        ("**The photo shows:**\n\nA bowl.\n\nYes", "The photo shows: A bowl."),
        ("![A bowl of soup](soup_(1).png)", "A bowl of soup"),
        ("[A bowl](https://a.b/c.jpg) of *hot* soup. Yes", "A bowl of hot soup."),
        ("A **bowl** of _hot_ soup. It steams.", "A bowl of hot soup."),
        ("**A bowl of soup.** It steams.", "A bowl of soup."),
        ("A M*A*S*H poster and 2 * 3 * 4", "A M*A*S*H poster and 2 * 3 * 4"),
        ("The files a_b_c and __init__.py", "The files a_b_c and __init__.py"),
        ("A 5* hotel, a 4* hotel and *NSYNC", "A 5* hotel, a 4* hotel and *NSYNC"),
        ("A bowl [left] (right) of soup", "A bowl [left] (right) of soup"),
        ("A bowl of soup\n**Mood:** warm", "A bowl of soup"),
        ("A bowl of soup (5 letters)", "A bowl of soup (5 letters)"),
        ("A sack of 25 kg. stands by a door. It is full.", "A sack of 25 kg. stands by a door."),
        ("a glass with 50 cl. of beer. it is cold.", "a glass with 50 cl. of beer."),
        ("a sack of 25 kg. it is full.", "a sack of 25 kg."),
        ("A sack of 25 kg. The sack is full.", "A sack of 25 kg."),
        ("Python 3.12.1. on a laptop. It is on.", "Python 3.12.1. on a laptop."),
        ("Figs. 7 and 8 are of shells. They are old.", "Figs. 7 and 8 are of shells."),
        ("Fig. 12. The skull of an owl. It is old.", "Fig. 12. The skull of an owl."),
        ("Plate IX. Shells of Ceylon. It is old.", "Plate IX. Shells of Ceylon."),
        ("A portrait of Louis XIV. He is old.", "A portrait of Louis XIV."),
        ("Mvt. 3 of a quartet in a book. It is old.", "Mvt. 3 of a quartet in a book."),
        ("The 1. SC Feucht is on a flag. It is red.", "The 1. SC Feucht is on a flag."),
        ("A house in the 5. Bezirk of Vienna. It is red.", "A house in the 5. Bezirk of Vienna."),
        ("She wears number 5. He wears 6.", "She wears number 5."),
        ("she wears number 5. in a corner he sits.", "she wears number 5."),
        ("a list: 1. a bowl 2. a spoon", "a list: 1. a bowl 2. a spoon"),
    ],
)
def test_the_end_of_a_caption_and_marks_in_it(raw: str, text: str) -> None:
    assert shear(raw, "hf", SENTENCE).text == text


def test_texts_of_marks_take_no_time() -> None:
    pieces = ("*", "**a", "_", "[", "![", "](", "\n", ":\n", "\nnote", ": 1. ", "etc. ",
              "! a", "5 kg. of ", "the 1. F", "Fig. 4. ", "(7 words)", "\n**a:** ")  # fmt: skip
    for piece in pieces:
        shear("A" + piece * 3_000, "hf", SENTENCE)


def test_a_cap_in_words_ends_on_a_word_that_can_end() -> None:
    assert first_sentence("A dog runs on the beach at noon. More.", "stop", 5) == (
        "A dog runs",
        False,
    )
    assert first_sentence("A dog runs. More.", "stop", 5) == ("A dog runs.", True)


@given(st.text(), st.sampled_from(["stop", "length"]), st.none() | st.integers(1, 5))
def test_any_text_can_be_sheared_and_spans_hold(raw: str, finish: str, words: int | None) -> None:
    sheared = shear(raw, "llava-1.5", Shearing("sentence", words), finish)
    if sheared.start is not None:
        assert raw[sheared.start : sheared.end] == sheared.text
    if words is not None:
        assert len(sheared.text.split()) <= words
    if not sheared.ended and sheared.text:
        assert sheared.text.split(" ")[-1].lower() not in DANGLING


WORDS = ["a dog", "the", "I", "Dr", "in", "3 in", "Inc", "May", "p", "J", "U.S", "well-known", "St"]
ENDS = [" ", ". ", ". The ", ". I ", ".", "? ", "### ", "</s>", '" ', ", (", "\n", "\n\n"]


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(ENDS)), max_size=6))
def test_the_fast_path_for_plain_sentences_agrees_with_the_splitter(
    pieces: list[tuple[str, str]],
) -> None:
    raw = "".join(map("".join, pieces))
    text, ended = split_by_sentencex(raw, "stop")
    assert first_sentence(raw, "stop", None) == (text, ended)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    captions = make_captions(tmp_path / "data", 12)
    models = [model_choice("one", prompt="<image> Describe the picture"), model_choice("two")]
    project = create(
        tmp_path / "run", NewProject(captions=[captions], models=models, shard_size=2)
    ).project
    write_captions(project, row_of)
    return project


RAWS = {
    0: "Dr. Smith runs. It is",
    1: "A dog on the",
    2: "I'm sorry, I cannot see it.",
    3: "Describe the picture: a cat. Yes",
    4: ". so on",
    5: "A cat sits. Purr",
    6: "A cat sits. Meow",
}


def row_of(model: str, shard: int, i: int) -> dict[str, int | str]:
    """Return the caption or the error that a model has for a record."""
    number = shard * 2 + i
    if number == 11:
        return {"error": "corrupt", "detail": "bad"}
    return {"raw": RAWS.get(number, f"{model} {number}. End"), "tokens": 5, "finish": "length"}


def exported(project: Project, path: Path, *options: object) -> list[str]:
    """Return the captions of the model "one" in an export."""
    cli_ok("export", project.folder, path, "--model", "one", *options)
    return [record["caption"] for record in json.loads(path.read_text())]


def test_reshear_changes_what_is_exported_and_back(project: Project, tmp_path: Path) -> None:
    paper = exported(project, tmp_path / "a.json")
    assert paper[:2] == ["Dr", "A dog on the"]
    output = cli_ok("reshear", project.folder, "--mode", "sentence")
    assert "22 captions of 12 tasks sheared in mode sentence" in output
    captions = exported(project, tmp_path / "b.json")
    assert captions[:3] == ["Dr. Smith runs.", "A dog", "I'm sorry, I cannot see it."]
    finished = exported(project, tmp_path / "c.json", "--only-finished")
    assert finished[:2] == [captions[0], captions[2]]
    cli_ok("reshear", project.folder, "--mode", "paper")
    assert exported(project, tmp_path / "d.json") == paper
    cli_ok("reshear", project.folder, "--mode", "paper", "--max-words", 2)
    assert exported(project, tmp_path / "e.json")[:2] == ["Dr", "A dog"]


def test_other_processes_shear_alike(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli_ok("reshear", project.folder, "--mode", "sentence")
    alone = sorted(path.read_bytes() for path in project.captions.glob("*/*.sheared-*"))
    cli_ok("reshear", project.folder, "--mode", "paper")
    monkeypatch.setattr(pool, "MIN_JOBS", 2)
    assert "22 captions of 12 tasks" in cli_ok("reshear", project.folder, "--mode", "sentence")
    assert sorted(p.read_bytes() for p in project.captions.glob("*/*.sheared-*")) == alone


def test_samples_show_both_modes(project: Project) -> None:
    (sample,) = json.loads(cli_ok("samples", project.folder, "--count", 1, "--json"))
    modes = sample["captions"][0]["modes"]
    assert modes == {"paper": "Dr", "sentence": "Dr. Smith runs."}
    assert "sheared in mode sentence: Dr. Smith runs." in cli_ok("samples", project.folder)


def test_reshear_refuses_a_log_that_was_changed(project: Project, tmp_path: Path) -> None:
    log = next(project.captions.glob("one-*/00003.jsonl"))
    log.write_bytes(log.read_bytes().replace(b"Meow", b"Woof"))
    done = cli("reshear", project.folder, "--mode", "sentence")
    assert done.returncode == 2
    assert "was changed after its task was done" in done.stderr


def test_stats_count_captions(project: Project) -> None:
    one, two = json.loads(cli_ok("stats", project.folder, "--json"))
    assert one["model"] == "one"
    assert (one["captions"], one["failed"], one["tokens"]) == (11, 1, 55)
    assert (one["empty"], one["unfinished"], one["refusals"]) == (1, 1, 1)
    assert (one["leaks"], two["leaks"]) == (1, 1), "it is an instruction to any model"
    assert one["repeated"] == 1
    assert one["shared"] == 6
    assert 0 < one["share_cut"] < 1
    assert "kept words" in cli_ok("stats", project.folder).splitlines()[0]


def test_a_sentence_is_complete_only_when_nothing_can_change_it() -> None:
    complete_early = 0
    for _, text in hard_cases():
        whole = f"{text} More words follow here. And again."
        early = next(
            whole[:end] for end in range(len(whole) + 1) if first_sentence_complete(whole[:end])
        )
        for mode in ("paper", "sentence"):
            sheared = [shear(raw, "llava-1.5", Shearing(mode)).text for raw in (early, whole)]
            assert sheared[0] == sheared[1], early
        complete_early += len(early) < len(whole)
    assert complete_early > 200


@pytest.mark.parametrize(
    ("raw", "sentences"),
    [
        ("A dog. It runs! The", ["A dog.", "It runs!"]),
        ("A dog on the", ["A dog on the"]),
        (
            "Dr. Smith is approx. 3.5 m tall. He runs.",
            ["Dr. Smith is approx. 3.5 m tall.", "He runs."],
        ),
        (
            "A dog\nruns. It\n is wet.\n\nBehind it a cat.",
            ["A dog runs.", "It is wet.", "Behind it a cat."],
        ),
        ("**A dog runs. It barks.** It is wet.", ["A dog runs.", "It barks.", "It is wet."]),
        ('"A dog runs. It barks."', ["A dog runs.", "It barks."]),
        ("USER: What is it? ASSISTANT: A dog. It runs.", ["A dog.", "It runs."]),
        ("<s> Assistant: A dog. It runs.### Human: no", ["A dog.", "It runs."]),
        (
            "\u732b\u304c\u3044\u308b\u3002\u72ac\u3082\u3044\u308b\u3002",
            ["\u732b\u304c\u3044\u308b\u3002", "\u72ac\u3082\u3044\u308b\u3002"],
        ),
        ("A \ud83d dog. It runs.", ["A \ud83d dog.", "It runs."]),
        ("...", []),
        ("", []),
    ],
)
def test_all_sentences_of_a_raw_caption(raw: str, sentences: list[str]) -> None:
    assert all_sentences(raw) == sentences


@given(st.text())
def test_sentences_are_parts_of_the_text(raw: str) -> None:
    for sentence in all_sentences(raw):
        assert " ".join(sentence.split()) == sentence
        assert sentence in " ".join(raw.split())


def test_half_a_character_ends_no_shearing() -> None:
    assert first_sentence("A \ud83d dog. It runs.", "stop", None) == ("A \ud83d dog.", True)
