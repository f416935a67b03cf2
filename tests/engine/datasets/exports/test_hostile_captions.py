"""Whatever captions hold: what a format's reader gets is what the project holds, on its image.

The readers are libraries, and the rules in `tests.readers.rules`, written from sources.
"""

from __future__ import annotations

import json
import random
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.datasets.exports.hints import path_for_dreamlip
from engine.images.image import ImagePaths
from tests.engine.datasets.exports.shards import Captions, make_plan, shard_of, write
from tests.readers.rules import dreamlip, laclip, llava, messages, side_files
from tests.support.pictures import draw_picture

HOSTILE = [
    *("NA", "null", "nan", "None", "<NA>", "007", "1e5", "True", "-", ".", "...", " ", "\ufeff"),
    *("a\nb c", "a\r\nb c", "a\rb c", "a\tb", "a b\n", "\0", "a b\0c", "\v\f", "a\x85 b\u2028c"),
    *("\ud800", "a dog \udfff", '"', '"a, b', "'a b", "a; b|c", "a \\", "=1+1", "#a b"),
    *("an <image> in it", "<video>", "</s> a", "a ASSISTANT: b", "<s>", "{a|b}", "a {{", "one"),
    "a. b. c",
    "x" * 131_072,
    "y z" * 45_000,
]
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(HOSTILE),
    st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=6),
    st.sampled_from(["a plain caption", "another plain caption", "a 猫 caption"]),
)
PLAIN = "a plain caption"
COUNT = 4
"""Records in a shard that is drawn."""
SHARDS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=COUNT, max_size=COUNT)
IMAGES = [f"{number}.png" for number in range(20)]

Pairs = set[tuple[str, str]]
"""(image path, caption) pairs."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images of which each one's first pixel tells its number."""
    folder = tmp_path_factory.mktemp("images")
    for number, image in enumerate(IMAGES):
        draw_picture(folder / image, number, (8, 8))
    return folder


def named(record_id: str) -> str:
    """Return the image path of a record by the name that an export gives to its image."""
    return f"{int(record_id)}.png"


def read_openclip(out: Path) -> Iterator[tuple[str, str]]:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(out, sep="\t")
    yield from zip(frame["filepath"].tolist(), frame["title"].tolist(), strict=True)


def read_columns(out: Path) -> Iterator[tuple[str, str]]:
    for line in out.read_text(encoding="utf-8").split("\n")[:-1]:
        yield from column_pairs(json.loads(line), "image")


def column_pairs(row: dict[str, Any], key: str) -> Iterator[tuple[str, str]]:
    for name in ("original", "m1", "m2"):
        if row[name]:
            yield row[key], row[name]


def read_parquet(out: Path) -> Iterator[tuple[str, str]]:
    parquet = pytest.importorskip("pyarrow.parquet")
    for row in parquet.read_table(out).to_pylist():
        yield from column_pairs(row, "image")


def read_hub(out: Path) -> Iterator[tuple[str, str]]:
    parquet = pytest.importorskip("pyarrow.parquet")
    for row in parquet.read_table(out / "data").to_pylist():
        assert row["image"]["bytes"]
        yield from column_pairs(row, "image_path")


def read_laclip(out: Path) -> Iterator[tuple[str, str]]:
    files = [str(out / f"{name}.txt") for name in ("m1", "m2")]
    for path, captions in laclip.rows(str(out / "captions.csv"), files, ""):
        for text in laclip.trained_texts(captions):
            yield path, text


def read_dreamlip(out: Path) -> Iterator[tuple[str, str]]:
    """Yield the raw captions; the sentences have a test of their own."""
    for path, raw, sentences in dreamlip.rows(path_for_dreamlip(out)):
        assert len(sentences) > 1, "it would end the training"
        yield path, raw


def read_llava(out: Path) -> Iterator[tuple[str, str]]:
    for path, _, answer, count in llava.turns(out, ""):
        assert count == 1
        assert " ASSISTANT: " not in answer and "</s>" not in answer, "it would not be trained on"
        yield path, answer


def read_messages(out: Path) -> Iterator[tuple[str, str]]:
    for path, _, answer in messages.conversations(out):
        yield path, answer


def read_trl(out: Path) -> Iterator[tuple[str, str]]:
    for line in out.read_bytes().splitlines():
        record = json.loads(line)
        user, assistant = record["messages"]
        assert [part["type"] for part in user["content"]] == ["image", "text"]
        (answer,) = assistant["content"]
        yield record["images"][0], answer["text"]


def read_sidefiles(out: Path) -> Iterator[tuple[str, str]]:
    for image, lines in side_files.lines_of_images(out).items():
        for line in lines:
            assert side_files.draw([line], random.Random(0)) == line, "nothing in it is a wildcard"
            yield named(image.stem), line


def read_hf(out: Path) -> Iterator[tuple[str, str]]:
    for line in (out / "metadata.jsonl").read_text(encoding="utf-8").split("\n")[:-1]:
        row = json.loads(line)
        assert (out / row["file_name"]).is_file()
        yield from column_pairs(row, "image_path")


def read_wds(out: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(out / "00000.tar") as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            if member.name.endswith(".json"):
                yield from column_pairs(json.loads(content.read()), "image")


READERS: dict[str, Callable[[Path], Iterator[tuple[str, str]]]] = {
    "openclip": read_openclip,
    "columns": read_columns,
    "parquet": read_parquet,
    "laclip": read_laclip,
    "dreamlip": read_dreamlip,
    "llava": read_llava,
    "messages": read_messages,
    "trl": read_trl,
    "sidefiles": read_sidefiles,
    "hf": read_hf,
    "wds": read_wds,
    "hub": read_hub,
}
"""What a training program gets of each format, as (image path, caption)."""
STRIPPING = {"sidefiles"}
"""The formats whose readers strip blanks from the ends of captions."""


def check_reader(format: str, images: Path, captions: list[Captions]) -> None:
    """Export captions of the images, and compare what the reader gets with what was there."""
    captions = [(PLAIN,) * 3, *captions]
    names = IMAGES[: len(captions)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        paths = ImagePaths(str(images))
        plan = make_plan(with_original=True, image_paths=paths, image_mode="copy")
        (encoded,) = write(format, out, plan, shard_of(names, captions))
        read = list(READERS[format](out))
    held = {
        (image, text.strip() if format in STRIPPING else text)
        for image, texts in zip(names, captions, strict=True)
        for text in texts
        if text
    }
    assert set(read) <= held, "nothing is read that no one said of this image"
    assert ("0.png", PLAIN) in read
    if format not in ("laclip", "dreamlip"):  # these give some texts in two places
        assert len(read) == encoded.captions
    assert encoded.images == len({image for image, _ in read})


@pytest.mark.parametrize("format", READERS)
@pytest.mark.parametrize("shift", range(3))
def test_the_reader_gets_each_odd_caption_as_it_is_or_not_at_all(
    format: str, images: Path, shift: int
) -> None:
    """Each text stands in the place of each column once, beside others and alone."""
    odd = [*HOSTILE[shift:], *HOSTILE[:shift]]
    check_reader(format, images, [(odd[n], *odd[n + 1 : n + 3]) for n in range(0, len(odd) - 2, 3)])
    for column in range(3):
        for start in range(0, len(odd), COUNT):
            alone = [
                [None] * column + [text] + [None] * (2 - column) for text in odd[start:][:COUNT]
            ]
            check_reader(format, images, [*alone])


@pytest.mark.parametrize("format", READERS)
def test_the_reader_gets_what_the_project_holds(format: str, images: Path) -> None:
    @settings(max_examples=30, deadline=None)
    @given(SHARDS)
    def check(captions: list[Captions]) -> None:
        check_reader(format, images, captions)

    check()


@pytest.mark.parametrize(
    ("format", "kept", "left_out"),
    [
        ("openclip", ["a\nb c", "a\rb c", "a\tb", "007", "\0"], ["NA", "null", "<NA>", "\ud800"]),
        ("laclip", ["a\tb c", "a\x85 b\u2028c"], ["a\nb c", "a\rb c", "one", "a \ud800"]),
        ("llava", ["a\nb c", "NA", "\0"], ["an <image> in it", "</s> a", "a ASSISTANT: b"]),
        ("messages", ["a\rb c", "</s> a"], ["an <image> in it", "<video>", "a \udfff"]),
        ("trl", ["a\rb c", "</s> a"], ["an <image> in it", "<audio>", "a \udfff"]),
        ("sidefiles", ["NA", "\ufeff a", "a <image>"], ["a\nb", "a\x85b", "{a|b}", "\0", " "]),
        ("wds", ["NA", "a\rb c", "\0"], [" ", "\n", "\ud800"]),
        ("columns", ["NA", " ", "a\rb c"], ["\ud800"]),
        ("parquet", ["NA", " ", "a\rb c"], ["\ud800"]),
        ("hf", ["NA", " ", "a\rb c"], ["\ud800"]),
        ("hub", ["NA", " ", "a\rb c"], ["\ud800"]),
    ],
)
def test_which_captions_are_left_out(
    format: str, images: Path, tmp_path: Path, kept: list[str], left_out: list[str]
) -> None:
    texts = [*kept, *left_out]
    plan = make_plan(with_original=True, image_paths=ImagePaths(str(images)), image_mode="copy")
    captions = [("a plain one", text, None) for text in texts]
    shard = shard_of(IMAGES[: len(texts)], captions)
    (encoded,) = write(format, tmp_path / "out", plan, shard)
    assert encoded.captions == 2 * len(kept) + len(left_out)
    read = {text for _, text in READERS[format](tmp_path / "out")} - {"a plain one"}
    assert read == {text.strip() if format in STRIPPING else text for text in kept}


@settings(max_examples=60, deadline=None)
@given(SHARDS, st.sampled_from([1, 2, 6]))
def test_dreamlip_draws_from_every_sentence_and_no_other(
    captions: list[Captions], models: int
) -> None:
    """The last of its sentences is the one that it never draws."""
    captions = [(original, *(others * 3)[:models]) for original, *others in captions]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.csv")
        names = [make_plan().models[0]] * models
        plan = make_plan(models=names, with_original=True)
        write("dreamlip", out, plan, shard_of(IMAGES[:COUNT], captions))
        for path, _, sentences in dreamlip.rows(path_for_dreamlip(out)):
            held = [text for text in captions[int(path[0])][1:] if text]
            drawn = sentences[:-1]
            assert sentences[-1] == "-"
            assert set(drawn) <= set(dreamlip.sentences(held))
            fitting = [text for text in held if not {"\r", "\0"} & set(text) and len(text) < 1000]
            utf8 = [text for text in fitting if text == text.encode("utf-8", "replace").decode()]
            assert set(dreamlip.sentences(utf8)) <= set(drawn)
