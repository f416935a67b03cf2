"""Known layouts of JSON are read as what they are; nothing of them is lost without a word."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.inputs import json_objects, json_reader
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.read_options import ReadOptions
from engine.utils.errors import BadInput
from tests.engine.datasets.inputs.reading import pairs, passed_over, values

COUNT = 4
EXPECTED = [(f"img/{n}.jpg", f"cap {n}") for n in range(COUNT)]
QUESTION = {"from": "human", "value": "<image>\nDescribe."}
TEXT = {"type": "text", "text": "Describe."}


def llava(n: int) -> dict[str, Any]:
    answers = [{"from": "gpt", "value": f"cap {n}"}, QUESTION, {"from": "gpt", "value": "more"}]
    return {"id": str(n), "image": f"img/{n}.jpg", "conversations": [QUESTION, *answers]}


def chat(n: int, content: Any, answer: Any = None, **others: Any) -> dict[str, Any]:
    user = {"role": "user", "content": content}
    said = {"role": "assistant", "content": answer or f"cap {n}"}
    return {"messages": [{"role": "system", "content": "Be brief."}, user, said], **others}


RECORDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "other keys": lambda n: {"file_name": f"img/{n}.jpg", "text": f"cap {n}"},
    "keys in capitals": lambda n: {"Image_Path": f"img/{n}.jpg", "TEXT": f"cap {n}"},
    "image and text": lambda n: {"image": f"img/{n}.jpg", "text": f"cap {n}"},
    "a caption that is null": lambda n: {
        "image": f"img/{n}.jpg",
        "caption": None,
        "title": f"cap {n}",
    },
    "numbered captions": lambda n: {
        "path": f"img/{n}.jpg",
        "caption_1": "second",
        "caption_0": f"cap {n}",
    },
    "a list of captions": lambda n: {"image": f"img/{n}.jpg", "caption": [f"cap {n}", "second"]},
    "captions": lambda n: {"image": f"img/{n}.jpg", "captions": [f"cap {n}", "second"]},
    "Karpathy": lambda n: {
        "filepath": "img",
        "filename": f"{n}.jpg",
        "sentences": [{"raw": f"cap {n}", "tokens": ["cap"]}, {"raw": "second"}],
    },
    "TextCaps": lambda n: {"image_path": f"img/{n}.jpg", "caption_str": f"cap {n}"},
    "an image of datasets": lambda n: {
        "image": {"bytes": None, "path": f"img/{n}.jpg"},
        "caption": f"cap {n}",
    },
    "LLaVA": llava,
    "ms-swift": lambda n: chat(n, "<image>Describe.", images=[f"img/{n}.jpg"]),
    "LLaMA-Factory": lambda n: {
        "conversations": [QUESTION, {"from": "gpt", "value": f"cap {n}"}],
        "images": [f"img/{n}.jpg"],
    },
    "alpaca": lambda n: {
        "instruction": "Describe.",
        "output": f"cap {n}",
        "images": [f"img/{n}.jpg"],
    },
    "query and response": lambda n: {
        "query": "Describe.",
        "response": f"cap {n}",
        "images": [f"img/{n}.jpg"],
    },
    "TRL": lambda n: chat(
        n,
        [{"type": "image"}, TEXT],
        [{"type": "text", "text": f"cap {n}"}],
        images=[{"path": f"img/{n}.jpg"}],
    ),
    "TRL, prompt and completion": lambda n: {
        "prompt": [{"role": "user", "content": [{"type": "image"}, TEXT]}],
        "completion": [{"role": "assistant", "content": f"cap {n}"}],
        "images": [f"img/{n}.jpg"],
    },
    "Qwen's paths among messages": lambda n: chat(
        n, [{"type": "image", "image": f"img/{n}.jpg"}, TEXT]
    ),
    "OpenAI's parts": lambda n: chat(
        n, [{"type": "image_url", "image_url": {"url": f"img/{n}.jpg"}}, TEXT]
    ),
    "Qwen-VL's tags": lambda n: {
        "conversations": [
            {"from": "user", "value": f"Picture 1: <img>img/{n}.jpg</img>\nDescribe."},
            {"from": "assistant", "value": f"cap {n}"},
        ]
    },
}
"""A record of each layout, by the layout's name."""
WITH_FURTHER = {"numbered captions", "a list of captions", "captions", "Karpathy"}


def write(path: Path, value: Any, **options: Any) -> Path:
    path.write_text(json.dumps(value, **options))
    return path


def written(folder: Path, records: list[dict[str, Any]]) -> list[Path]:
    """Write records in every form that a list of them has."""
    lines = folder / "a.jsonl"
    lines.write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "a.json.gz").write_bytes(gzip.compress(json.dumps(records).encode()))
    return [
        lines,
        folder / "a.json.gz",
        write(folder / "array.json", records),
        write(folder / "indented.json", records, indent=1),
        write(folder / "data.json", {"version": 1, "info": {"a": 1}, "data": records}),
        write(folder / "flat.json", {"data": records, "count": len(records)}, indent=0),
        write(folder / "splits.json", {"train": records[:3], "val": records[3:]}, indent=2),
    ]


@pytest.mark.parametrize("layout", RECORDS)
def test_a_layout_is_read_in_every_form_of_a_list(tmp_path: Path, layout: str) -> None:
    for path in written(tmp_path, [RECORDS[layout](n) for n in range(COUNT)]):
        report = InputReport()
        assert pairs(path, report) == EXPECTED, path
        assert report.captioned == report.records == COUNT
        further = passed_over(report).get("further captions of one image", 0)
        assert further == (COUNT if layout in WITH_FURTHER else 0)
        for value in values(path):
            assert (value["image"], value["caption"]) in EXPECTED
        if layout in WITH_FURTHER:
            each = pairs(path, several_captions="each")
            assert each == [(i, c) for i, first in EXPECTED for c in (first, "second")]


def test_one_line_alone_is_a_record(tmp_path: Path) -> None:
    for layout in RECORDS:
        path = write(tmp_path / "a.jsonl", RECORDS[layout](0))
        assert pairs(path) == EXPECTED[:1], layout


def test_all_other_keys_stay_in_the_record(tmp_path: Path) -> None:
    long = 10**30
    record = {
        "file_name": "a.jpg",
        "text": "a",
        "tags": ["x", {"y": 1.0}],
        "n": long,
        "u": "\ud83d",
    }
    path = write(tmp_path / "a.jsonl", record)
    rest = {"tags": ["x", {"y": 1.0}], "n": long, "u": "\ud83d"}
    assert values(path) == [{"image": "a.jpg", "caption": "a"} | rest]
    path = write(tmp_path / "a.json", [{"image": "a.jpg", "caption": ["a", "b"], "id": 7}])
    assert values(path) == [{"image": "a.jpg", "caption": "a", "captions": ["a", "b"], "id": 7}]
    (llava_value,) = values(write(tmp_path / "a.json", [llava(0)]))
    assert llava_value["conversations"] == llava(0)["conversations"]


def test_plain_records_keep_their_bytes(tmp_path: Path) -> None:
    text = b'{"image":"a.jpg","caption": "\\u00e4", "n": 1e3, "text": "another"}'
    (tmp_path / "a.jsonl").write_bytes(text + b"\n" + text + b"\n")
    path = tmp_path / "a.jsonl"
    (batch,) = json_reader.read_batches(path, tmp_path, ReadOptions(), InputReport())
    assert batch.lines == [text, text]


@pytest.mark.parametrize("mixed", [["other keys", "LLaVA"], ["image and text", "Karpathy"]])
def test_records_of_one_file_may_differ(tmp_path: Path, mixed: list[str]) -> None:
    records = [RECORDS[mixed[n % 2]](n) for n in range(COUNT)]
    records[2:2] = [{"image": "plain.jpg", "caption": "plain"}]
    for path in written(tmp_path, records):
        assert pairs(path) == [*EXPECTED[:2], ("plain.jpg", "plain"), *EXPECTED[2:]]


def test_columns_are_named(tmp_path: Path) -> None:
    records = [
        {"photo": f"img/{n}.jpg", "image": "x", "alt": f"cap {n}", "caption": "no"}
        for n in range(COUNT)
    ]
    for path in written(tmp_path, records):
        assert pairs(path, image_column="photo", caption_column="alt") == EXPECTED
        with pytest.raises(BadInput, match=r"no 'other' \(its keys are 'photo', 'image', 'alt'"):
            pairs(path, image_column="other")
        with pytest.raises(BadInput, match=r"no record has 'other' \(the keys of the first are"):
            pairs(path, caption_column="other")


def test_the_message_names_the_keys_and_not_skip_bad(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [{"image_id": 0, "caption": "a"}])
    with pytest.raises(BadInput, match="its keys are 'image_id', 'caption'") as caught:
        pairs(path)
    assert not isinstance(caught.value, BadRecord)  # --skip-bad would leave out all of them
    assert "--image-column" in str(caught.value)
    for records in ([{"url": "http://x.test/0.jpg", "caption": "a"}], [{"URL": "x", "TEXT": "y"}]):
        for path in written(tmp_path, records):
            with pytest.raises(BadInput, match="images must be local"):
                pairs(path)


@pytest.mark.parametrize("caption", [7, True, {"a": 1}, [7], ["a", 7], [{"a": 1}]])
def test_a_caption_that_is_no_text_is_refused_or_left_out(tmp_path: Path, caption: Any) -> None:
    records = [{"image": "a.jpg", "caption": caption}, {"image": "b.jpg", "caption": "b"}]
    for path in written(tmp_path, records)[:4]:
        with pytest.raises(BadRecord, match="'caption' must be text, not"):
            pairs(path)
        report = InputReport(skip_bad=True)
        assert pairs(path, report) == [("b.jpg", "b")]
        assert report.skipped.count == 1


def test_no_caption_at_all_is_counted_with_the_keys(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [
        {"image": "a.jpg", "label": 3},
        {"image": "b.jpg", "caption": []},
    ]
    for path in written(tmp_path, records)[:4]:
        report = InputReport()
        assert pairs(path, report) == [("a.jpg", ""), ("b.jpg", "")]
        assert (report.records, report.captioned) == (2, 0)
        assert report.uncaptioned_keys == ["image", "label"]


def test_texts_without_one_image_are_counted(tmp_path: Path) -> None:
    alone = {"id": "x", "conversations": llava(0)["conversations"]}
    several = chat(0, "<image><image>", images=["a.jpg", "b.jpg"])
    empty = chat(0, "Hello", images=[])
    report = InputReport()
    for path in written(tmp_path, [alone, llava(0), several, empty])[:1]:
        assert pairs(path, report) == EXPECTED[:1]
    assert passed_over(report) == {"records without an image": 2, "records of several images": 1}
    for path in written(tmp_path, [alone, alone])[:4]:
        with pytest.raises(BadInput, match="holds no record: it holds records without an image"):
            pairs(path)


def test_images_inside_of_json_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [chat(0, "x", images=["data:image/png;base64,AAAA"])])
    with pytest.raises(BadInput, match="holds the image itself"):
        pairs(path)


PAIRED: dict[str, Callable[[int], Any]] = {
    "texts": lambda n: f"cap {n}",
    "lists": lambda n: [f"cap {n}"],
    "kohya": lambda n: {"caption": f"cap {n}", "tags": "a, b", "train_resolution": [8, 8]},
}


@pytest.mark.parametrize("form", PAIRED)
@pytest.mark.parametrize("indent", [None, 0, 2])
def test_captions_by_path(tmp_path: Path, form: str, indent: int | None) -> None:
    content = {f"img/{n}.jpg": PAIRED[form](n) for n in range(COUNT)}
    path = write(tmp_path / "meta.json", content, indent=indent)
    assert pairs(path) == EXPECTED
    if form == "kohya":
        assert pairs(path, caption_column="tags")[0] == ("img/0.jpg", "a, b")
        assert values(path)[0]["train_resolution"] == [8, 8]
        stems = {str(n): PAIRED[form](n) for n in range(COUNT)}
        assert pairs(write(path, stems))[1] == ("1", "cap 1")
    bad = write(path, content | {"img/9.jpg": {"caption": 7}}, indent=indent)
    report = InputReport(skip_bad=True)
    assert pairs(bad, report) == EXPECTED
    assert report.skipped.count == 1


def test_paths_without_a_suffix_are_those_of_the_one_image_that_they_fit(tmp_path: Path) -> None:
    stems = ["0", "sub/v1.2", "twins", "none", "given.png", "../outside", "0.txt", ".hidden"]
    for image in ("0.jpg", "sub/v1.2.PNG", "twins.jpg", "twins.webp", ".hidden.jpg"):
        file = tmp_path / "images" / image
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    for beside in ("outside.jpg", "images/0.txt"):
        (tmp_path / beside).touch()
    path = write(tmp_path / "meta_cap.json", {stem: {"caption": "a"} for stem in stems})
    report = InputReport()
    expected = ["0.jpg", "sub/v1.2.PNG", *stems[2:]]
    assert [image for image, _ in pairs(path, report, tmp_path / "images")] == expected
    (note,) = report.notes
    assert "5 image paths without a suffix, such as 'twins', fit no image in" in note


def test_an_object_without_records_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {"info": {"a": 1}, "categories": [{"id": 1, "name": "cat"}]})
    with pytest.raises(BadInput, match="no 'image' or another usual key"):
        pairs(path)
    path = write(tmp_path / "a.json", {"img/1.jpg": 7, "data": [], "b.jpg": {}})
    assert pairs(path) == [("b.jpg", "")]


@pytest.mark.parametrize("long", [False, True], ids=["short", "longer than the head"])
def test_a_long_object_is_known_by_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: bool
) -> None:
    if long:
        monkeypatch.setattr(json_objects, "HEAD_BYTES", 60)
        monkeypatch.setattr(json_objects, "READ_BYTES", 16)
    for indent in (None, 0, 2):
        records = [{"image": i, "caption": c, "x": "}, {" * 20} for i, c in EXPECTED]
        path = write(tmp_path / "a.json", {"info": "ü" * 30, "data": records}, indent=indent)
        assert pairs(path) == EXPECTED
        path = write(tmp_path / "a.json", {"images": records}, indent=indent)
        assert pairs(path) == EXPECTED
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    assert pairs(tmp_path / "a.jsonl") == EXPECTED
    conversations = [llava(n) for n in range(COUNT)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, conversations)))
    assert pairs(tmp_path / "a.jsonl") == EXPECTED


def test_a_file_that_is_cut_short_keeps_its_whole_records(tmp_path: Path) -> None:
    records = [{"image": i, "text": c} for i, c in EXPECTED]
    by_path = {i: c for i, c in EXPECTED}
    for value in (records, {"data": records}, by_path):
        whole = json.dumps(value)
        path = tmp_path / "a.json"
        path.write_text(whole[: -whole[::-1].index("3 pac")])
        with pytest.raises(BadInput):
            pairs(path)
        report = InputReport(skip_bad=True)
        assert pairs(path, report) == EXPECTED[:3], value
        assert report.skipped.count == 1


KEYS = st.sampled_from(
    ["image", "caption", "text", "file_name", "images", "messages", "annotations", "a.jpg", "x"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["a.jpg", "", "hello", "data:x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=3) | st.dictionaries(KEYS, VALUES, max_size=4), st.booleans())
def test_any_json_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, value: Any, skip_bad: bool
) -> None:
    path = write(tmp_path_factory.mktemp("json") / "a.json", value)
    for several in ("first", "each"):
        try:
            for image, caption in pairs(
                path, InputReport(skip_bad=skip_bad), several_captions=several
            ):
                assert image and isinstance(caption, str)
        except BadInput as error:
            assert str(path) in str(error) and len(str(error).splitlines()) == 1
