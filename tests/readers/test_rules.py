"""Training code that is on no index, by the rule of its source."""

from __future__ import annotations

import random

import pytest

from tests.readers.conftest import Call
from tests.readers.hostile_project import (
    MODELS,
    HostileProject,
    is_utf8,
    one_line,
)
from tests.readers.rules import blip, dreamlip, laclip, llava, messages, side_files
from tests.readers.rules.laclip import SUFFIXES
from tests.readers.rules.messages import PLACEHOLDERS

CSV_CELL_LIMIT = 131_072
"""Characters of a cell that Python's csv module takes by default."""


def python_csv_keeps(text: str) -> bool:
    """Return True if a text file that Python opens as usual can hold this text in a cell."""
    return is_utf8(text) and len(text) < CSV_CELL_LIMIT and not {"\0", "\r"} & set(text)


def line_keeps(text: str) -> bool:
    """Return True if a line can hold this text."""
    return is_utf8(text) and one_line(text) == text


def answer_keeps(text: str) -> bool:
    return is_utf8(text) and not any(tag in text for tag in PLACEHOLDERS)


@pytest.mark.parametrize(("name", "format"), [("out.json", "json"), ("models", "per-model")])
def test_blip_trains_on_every_caption(
    export_to: Call, hostile: HostileProject, name: str, format: str
) -> None:
    out = export_to(name, "--format", format, "--image-root", hostile.root).path
    files = [out] if out.is_file() else sorted(out.iterdir())
    pairs = [(hostile.number_at(path), text) for path, text in blip.pairs(files)]
    assert sorted(pairs) == hostile.pairs(as_read=blip.pre_caption, any_path=True)


def test_llava_has_one_image_a_conversation(export_to: Call, hostile: HostileProject) -> None:
    out = export_to("out.json", "--format", "llava").path
    turns = llava.turns(out, str(hostile.root))
    assert {images for *_, images in turns} == {1}
    pairs = [(hostile.number_at(path), answer) for path, _, answer, _ in turns]
    assert sorted(pairs) == hostile.pairs(
        keep=lambda text: answer_keeps(text) and "</s>" not in text
    )


def test_messages_have_one_image_a_conversation(export_to: Call, hostile: HostileProject) -> None:
    out = export_to("out.jsonl", "--format", "messages", "--image-root", hostile.root).path
    turns = messages.conversations(out)
    pairs = [(hostile.number_at(path), answer) for path, _, answer in turns]
    assert sorted(pairs) == hostile.pairs(keep=answer_keeps)


def test_laclip_trains_on_each_text(export_to: Call, hostile: HostileProject) -> None:
    out = export_to("laclip", "--format", "laclip").path
    files = [str(out / f"{name}.txt") for name in MODELS]
    found: set[tuple[int, str]] = set()
    for path, captions in laclip.rows(str(out / "captions.csv"), files, str(hostile.root)):
        number = hostile.number_at(path)
        found |= {(number, text) for text in laclip.trained_texts(captions)}
    assert found <= set(hostile.pairs())
    expected = {
        *hostile.pairs(("original",), keep=python_csv_keeps),
        *hostile.pairs(MODELS, keep=laclip_draws),
    }
    with_cell = {number for number, _ in hostile.pairs(keep=python_csv_keeps)}
    assert found >= {
        (number, text)
        for number, text in expected
        if number in with_cell and hostile.images[number].endswith(SUFFIXES)
    }


def laclip_draws(text: str) -> bool:
    """Return True if LaCLIP trains on a line with this text."""
    return is_utf8(text) and not {"\r", "\n"} & set(text) and len(text.split(" ")) >= 2


@pytest.mark.parametrize("models", [MODELS, MODELS[:1]])
def test_dreamlip_draws_every_sentence(
    export_to: Call, hostile: HostileProject, models: tuple[str, ...]
) -> None:
    chosen = [option for model in models for option in ("--model", model)]
    out = export_to("out.csv", "--format", "dreamlip", *chosen).path
    rng = random.Random(1)
    found = []
    for path, raw, sentences in dreamlip.rows(str(out)):
        number = hostile.number_at(hostile.root / path)
        drawn = set()
        for _ in range(60):
            first, *texts = dreamlip.draw(raw, sentences, rng)
            assert first == raw in hostile.captions[number].values()
            drawn.update(texts)
        captions = [hostile.captions[number].get(model, "") for model in models]
        assert drawn == set(dreamlip.sentences(captions)), number
        found.append(number)
    assert found == sorted({number for number, _ in hostile.pairs(models, keep=python_csv_keeps)})


def test_side_files_hold_one_caption_a_line(export_to: Call, hostile: HostileProject) -> None:
    out = export_to("side", "--format", "sidefiles").path
    folders = [out, *(path for path in out.rglob("*") if path.is_dir())]
    found = []
    for folder in folders:
        for image, lines in side_files.lines_of_images(folder).items():
            found += [(hostile.number_at(image), line) for line in lines]
    assert sorted(found) == hostile.pairs(
        keep=lambda text: line_keeps(text) and not {"{", "}"} & set(text),
        any_path=True,
    )


def test_a_side_file_has_one_of_its_lines_drawn(export_to: Call, hostile: HostileProject) -> None:
    out = export_to("side", "--format", "sidefiles").path
    for image, lines in side_files.lines_of_images(out).items():
        texts = set(hostile.captions[hostile.number_at(image)].values())
        assert {side_files.draw(lines, random.Random(seed)) for seed in range(9)} <= texts
