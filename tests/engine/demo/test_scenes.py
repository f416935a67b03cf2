"""The scenes are always the same, and true captions of them are distinguished from wrong ones."""

import hashlib
import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine.demo.phrasing import PHRASINGS, Phrasing
from engine.demo.scenes import (
    BACKGROUNDS,
    COLOURS,
    RELATIONS,
    SHAPES,
    WRONG_ALT_TEXT_SHARE,
    ColouredShape,
    Scene,
    alt_text,
    draw_scene,
    make_scene,
    true_caption,
    write_scenes,
)
from engine.demo.truth_check import describes, find_claims
from tests.engine.demo.wrong_claims import wrong_claims

SCENES = [make_scene(7, index) for index in range(2000)]
EXAMPLE = Scene(
    seed=0,
    index=0,
    first=ColouredShape(
        colour="red", shape="circle", x=0.5, y=0.25, radius=0.2, angle=0.0, rgb=COLOURS["red"]
    ),
    second=ColouredShape(
        colour="blue", shape="square", x=0.5, y=0.75, radius=0.15, angle=0.0, rgb=COLOURS["blue"]
    ),
    relation="above",
    background="grey",
    rgb=BACKGROUNDS["grey"],
)


def digest(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def test_a_scene_is_always_the_same() -> None:
    assert make_scene(7, 1234) == SCENES[1234]
    assert digest(draw_scene(SCENES[5])) == digest(draw_scene(make_scene(7, 5)))
    code = (
        "import hashlib; from engine.demo.scenes import draw_scene, make_scene;"
        "print(hashlib.sha256(draw_scene(make_scene(7, 5)).tobytes()).hexdigest())"
    )
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert elsewhere.stdout.strip() == digest(draw_scene(SCENES[5]))


def test_scenes_differ() -> None:
    assert len({digest(draw_scene(it)) for it in SCENES[:200]}) == 200
    assert make_scene(8, 0) != make_scene(7, 0)


def test_everything_turns_up_about_equally_often() -> None:
    for values, options in (
        ([it.relation for it in SCENES], RELATIONS),
        ([it.background for it in SCENES], BACKGROUNDS),
        ([shape.colour for it in SCENES for shape in (it.first, it.second)], COLOURS),
        ([shape.shape for it in SCENES for shape in (it.first, it.second)], SHAPES),
    ):
        counts = Counter(values)
        assert set(counts) == set(options)
        assert min(counts.values()) > 0.8 * len(values) / len(options)


def test_the_relation_is_plain() -> None:
    for it in SCENES:
        assert it.first.name != it.second.name
        across, along = it.second.x - it.first.x, it.second.y - it.first.y
        if it.relation == "above":
            across, along = along, across
        assert across > it.first.radius + it.second.radius
        assert across > abs(along)


def test_draw_shows_the_colours_where_they_belong() -> None:
    for size in ((240, 192), (96, 96), (100, 300)):
        for it in SCENES[:50]:
            image = draw_scene(it, size)
            assert (image.mode, image.size) == ("RGB", size)
            side = min(size)
            corner = ((size[0] - side) / 2, (size[1] - side) / 2)
            for shape in (it.first, it.second):
                middle = (int(corner[0] + shape.x * side), int(corner[1] + shape.y * side))
                assert image.getpixel(middle) == shape.rgb
            assert image.getpixel((0, 0)) == it.rgb


def test_truth() -> None:
    assert true_caption(EXAMPLE) == "A red circle is above a blue square on a grey background"
    orange = replace(EXAMPLE, first=replace(EXAMPLE.first, colour="orange"))
    assert true_caption(orange) == "An orange circle is above a blue square on a grey background"
    for it in SCENES:
        assert "." not in true_caption(it)
        assert describes(true_caption(it), it)
        assert not wrong_claims(true_caption(it), it)
        assert len(find_claims(true_caption(it), it)) == 2


@pytest.mark.parametrize(
    "caption",
    [
        "A blue square is below a red circle",
        "a red circle over a blue square on a grey background.",
        "There is a RED CIRCLE on top of a blue square",
        "a blue square lies beneath the red circle",
    ],
)
def test_other_words_describe_it_too(caption: str) -> None:
    assert describes(caption, EXAMPLE)


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "A red circle and a blue square",
        "A red circle is below a blue square",
        "A red circle is to the left of a blue square",
        "A blue square is above a red circle",
        "A red square is above a blue circle",
        "A red circle is above a blue square on a white background",
        "A red circle is above a blue squ",
        "A red circle is above a blue square, and a blue square is above a red circle",
    ],
)
def test_wrong_captions_do_not_describe_it(caption: str) -> None:
    assert not describes(caption, EXAMPLE)


@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        ("There are two shapes in the picture, and nothing else can be seen.", 2, 0),
        ("There are three shapes in the picture, and the sky is blue.", 0, 2),
        ("The red circle is larger than the blue square.", 1, 0),
        ("The red circle is smaller than the blue square.", 0, 1),
        ("There is also a green star in the top left corner, and a woman is sitting", 0, 2),
        ("There are also four birds in the distance. A dog is sleeping nearby.", 0, 2),
        ("The two shapes do not touch each", 1, 0),
        ("There are also", 0, 0),
    ],
)
def test_claims(text: str, right: int, wrong: int) -> None:
    claims = find_claims(text, EXAMPLE)
    assert [sum(claim.holds for claim in claims), len(wrong_claims(text, EXAMPLE))] == [
        right,
        wrong,
    ]
    assert all(text[claim.start : claim.end] == claim.text for claim in claims)


@pytest.mark.parametrize("phrasing", PHRASINGS.values(), ids=PHRASINGS)
def test_every_phrasing_is_right_and_then_drifts(phrasing: Phrasing) -> None:
    for it in SCENES[:300]:
        assert "." not in phrasing.sentence(it)
        assert describes(phrasing.sentence(it), it)
        assert not wrong_claims(phrasing.sentence(it), it)
    continuations = [phrasing.continuation(it, random.Random(it.index)) for it in SCENES]
    assert all(find_claims(text, it) for text, it in zip(continuations, SCENES, strict=True))
    wrong = sum(
        bool(wrong_claims(text, it)) for text, it in zip(continuations, SCENES, strict=True)
    )
    assert wrong > 0.6 * len(SCENES)
    assert len(set(continuations)) > 20


def test_every_family_has_its_own_phrasing() -> None:
    assert (
        len({phrasing.sentence(EXAMPLE) for phrasing in PHRASINGS.values()}) == len(PHRASINGS) == 4
    )
    assert len({phrasing.continuation for phrasing in PHRASINGS.values()}) == len(PHRASINGS)


def test_alt_texts_are_short_partial_and_sometimes_wrong() -> None:
    wrong = 0
    for it in SCENES:
        text = alt_text(it)
        assert text == alt_text(make_scene(it.seed, it.index))
        assert len(text) < 70
        assert not describes(text, it)
        names = {f"{colour} {shape}" for colour in COLOURS for shape in SHAPES}
        named = {name for name in names if name in text}
        wrong += bool(named - {it.first.name, it.second.name})
    assert abs(wrong / len(SCENES) - WRONG_ALT_TEXT_SHARE) < 0.03


def test_write(tmp_path: Path) -> None:
    write_scenes(tmp_path / "a", 12, 7)
    write_scenes(tmp_path / "b", 12, 7)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 14
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    captions = json.loads((tmp_path / "a/captions.json").read_text())
    assert captions[3] == {"image": "images/00003.jpg", "caption": alt_text(SCENES[3])}
    truths = [json.loads(line) for line in (tmp_path / "a/scenes.jsonl").read_text().splitlines()]
    expected = {"image": "images/00011.jpg", "truth": true_caption(SCENES[11])}
    assert truths[11] == expected | {"seed": 7, "index": 11}
    with Image.open(tmp_path / "a/images/00011.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (240, 192))


def test_scenes_need_no_model_stack() -> None:
    code = (
        "import sys, engine.demo.scenes, engine.demo.truth_check;"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
