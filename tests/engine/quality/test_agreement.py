"""Agreement of the captions of one image: what it finds, and where there is nothing to compare."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.demo.phrasing import PHRASINGS
from engine.demo.scenes import make_scene
from engine.quality.agreement import Agreement, agreement_of
from tests.support.agreement_trial import (
    auroc,
    is_true,
    try_captions,
    try_originals,
    try_photo_originals,
    try_photos,
)
from tests.support.photo_captions import HELD_OUT, IMAGINED, LOOKED_AT, Photo

SCENES = [make_scene(77, index) for index in range(300)]
OTHER_SCENES = [make_scene(78, index) for index in range(300)]


def scene_captions(wrong_share: int) -> dict[str, list[str]]:
    """True sentences in the words of each demo model; each `wrong_share`-th is of another scene."""
    return {
        name: [
            phrasing.sentence(other if (place + number) % wrong_share == 0 else scene)
            for place, (scene, other) in enumerate(zip(SCENES, OTHER_SCENES, strict=True))
        ]
        for number, (name, phrasing) in enumerate(PHRASINGS.items())
    }


def test_wrong_captions_of_scenes_have_less_support() -> None:
    wrong, right = try_captions(SCENES, scene_captions(7))
    assert len(wrong) > 100
    assert auroc(wrong, right) > 0.98


def test_wrong_originals_of_scenes_are_found() -> None:
    trial = try_originals(SCENES, scene_captions(20), seed=1)
    assert trial.wrong > 70
    assert trial.precision >= 0.95
    assert trial.recall >= 0.95


PHOTOGRAPHS = pytest.mark.parametrize(
    "photos", [LOOKED_AT, IMAGINED, HELD_OUT], ids=["looked at", "imagined", "held out"]
)


@PHOTOGRAPHS
def test_captions_of_photographs(photos: tuple[Photo, ...]) -> None:
    right, others, details = try_photos(photos)
    assert auroc(others, right) > 0.97
    assert auroc(details, right) > 0.85


@PHOTOGRAPHS
def test_wrong_originals_of_photographs_are_found(photos: tuple[Photo, ...]) -> None:
    trial = try_photo_originals(photos)
    assert trial.recall > 0.93
    assert trial.false_share <= 0.1


@pytest.mark.parametrize(
    ("worse", "better", "others"),
    [
        # Another colour, another thing, another place, other neighbours.
        ("a blue circle above a star", "a red circle above a star", ["a red circle", "red circle"]),
        ("A dog on a sofa", "A cat on a sofa", ["A kitten sleeps on a couch", "a cat"]),
        ("a cat under a table", "a cat behind a table", ["cat behind table", "a cat behind it"]),
        ("a red star and a blue dot", "a blue star and a red dot", ["a blue star, a red dot"]),
        ("Two men swimming", "Two women running", ["Women run along a road", "women who run"]),
        ("", "a cat", ["a cat", "the cat"]),
    ],
)
def test_what_others_say_has_more_support(worse: str, better: str, others: list[str]) -> None:
    supports = [
        agreement_of(None, {"own": text} | dict(enumerate_names(others))).support["own"] or 0.0
        for text in (worse, better)
    ]
    assert supports[0] < supports[1]


def enumerate_names(texts: list[str]) -> list[tuple[str, str]]:
    return [(f"other {number}", text) for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    "captions",
    [
        {},
        {"one": "a cat on a mat"},
        {"one": "a cat", "other": ""},
        {"one": "a cat", "other": "... !"},
        {"one": "the and of", "other": "it is"},
        {"one": "一只猫坐在沙发上", "other": "猫在沙发上"},
        {"one": "แมวนั่งบนโซฟา", "other": "แมวบนโซฟา"},
        {"one": "\ud800", "other": "\ud800\ud801"},
    ],
)
def test_nothing_to_compare(captions: dict[str, str]) -> None:
    assert agreement_of("a cat", captions) == Agreement(dict.fromkeys(captions), None, None)


@pytest.mark.parametrize(
    ("original", "verdict"),
    [
        ("a dog on the beach", "supported"),
        ("Puppy playing by the sea, stock photo", "supported"),
        ("Old Bob at the beach in Cornwall", "supported"),
        ("a plate of spaghetti with basil", "contradicted"),
        ("IMG_2041.JPG", None),
        ("", None),
        (None, None),
        ("stock photo, vector clipart", None),
        ("海边的狗", None),
    ],
)
def test_what_is_said_of_an_original(original: str | None, verdict: str | None) -> None:
    captions = {
        "one": "A dog runs along a sandy beach near the ocean",
        "two": "A brown dog playing on the beach",
        "three": "The image shows a dog at the seaside with waves behind it",
    }
    agreement = agreement_of(original, captions)
    assert agreement.original == verdict
    assert (agreement.original_support is None) == (verdict is None)


def test_words_that_belong_to_other_words_contradict_an_original() -> None:
    captions = dict.fromkeys(("one", "two"), "A blue star is above a red circle")
    assert agreement_of("red circle icon", captions).original == "supported"
    assert agreement_of("red star icon", captions).original == "contradicted"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        # What can be seen speaks against the original if it is not said; what cannot does not.
        ("the dog, loyal and patient", "the dog, a cat and a horse"),
        # Captions of many images have a man, few a carpenter.
        ("carpenter", "man"),
        # Half of the captions have a dog, one has boards.
        ("the hungry dog and its boat", "the hungry boards and their boat"),
        # The dog is brown in a caption and grey in another.
        ("gray dog", "white dog"),
        # A star may be many things where no caption names a shape.
        ("the star of the park is a dog", "the star of the pub is a duck"),
    ],
)
def test_how_much_words_say_of_an_original(right: str, wrong: str) -> None:
    captions = {
        "one": "A brown dog sleeps on a bench",
        "two": "The image shows a grey dog in a park",
        "three": "A carpenter with wooden boards in a workshop",
        "four": "A man is working",
    }
    assert agreement_of(right, captions).original == "supported"
    assert agreement_of(wrong, captions).original == "contradicted"


def test_names_that_no_caption_has_do_not_count() -> None:
    captions = {"one": "A dog in a field", "two": "A dog runs"}
    assert agreement_of("our dog with Sam, Kim and Lee", captions).original == "supported"
    assert agreement_of("we met Sam", captions).original == "contradicted"
    assert agreement_of("with Sam", captions).original is None


def test_other_alphabets_are_compared_as_they_are() -> None:
    captions = {"one": "кошка на диване", "two": "кошка спит на диване", "three": "самолёт в небе"}
    support = agreement_of(None, captions).support
    assert (support["one"] or 0) > (support["three"] or 0)


@given(
    st.none() | st.text(max_size=60),
    st.dictionaries(st.text(max_size=3), st.text(max_size=60), max_size=5),
)
def test_any_texts_have_numbers_between_0_and_1(
    original: str | None, captions: dict[str, str]
) -> None:
    agreement = agreement_of(original, captions)
    assert list(agreement.support) == list(captions)
    known = [value for value in agreement.support.values() if value is not None]
    assert all(0 <= value <= 1 for value in known)
    assert len(known) != 1
    if agreement.original_support is not None:
        assert 0 <= agreement.original_support <= 1


def test_the_order_of_models_changes_nothing() -> None:
    captions = {"one": "a cat on a mat", "two": "a dog on a mat", "three": "cat"}
    agreement = agreement_of("a cat", captions)
    assert agreement_of("a cat", dict(reversed(captions.items()))) == agreement


def test_the_truth_of_originals_of_scenes() -> None:
    scene = SCENES[0]
    assert is_true(f"{scene.first.name} icon", scene)
    assert is_true("shapes clipart vector", scene) is None
    other = next(each for each in OTHER_SCENES if each.background != scene.background)
    assert is_true(f"{scene.first.name} on {other.background}", scene) is False
