"""A quotation mark never swallows rows: such a cell is refused with its line, or read unquoted."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.list_cells import captions_in_cell
from tests.engine.datasets.inputs.reading import pairs, passed_over
from tests.support.cli import cli

OPEN = '"the best thing ever'
CAPTIONS = [OPEN, "cap 1", 'cap 2"', "cap 3"]


def table(delimiter: str, order: str, captions: list[str], paths: str = "img/{}.jpg") -> str:
    """Return a table whose columns are in an order such as `ic` (image, caption), `x` another."""
    names = {"i": "image", "c": "caption", "x": "width"}
    lines = [delimiter.join(names[column] for column in order)]
    for n, caption in enumerate(captions):
        cells = {"i": paths.format(n), "c": caption, "x": str(n)}
        lines.append(delimiter.join(cells[column] for column in order))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("order", ["ic", "ci", "icx", "xci", "cxi"])
@pytest.mark.parametrize(("name", "delimiter"), [("a.tsv", "\t"), ("a.csv", ","), ("a.csv", ";")])
@pytest.mark.parametrize("closed", [1, 2, None], ids=["in the next row", "later", "never"])
def test_an_open_quotation_mark_swallows_no_row(
    tmp_path: Path, order: str, name: str, delimiter: str, closed: int | None
) -> None:
    captions = [OPEN] + [f'cap {n}"' if n == closed else f"cap {n}" for n in (1, 2, 3)]
    expected = [(f"img/{n}.jpg", caption) for n, caption in enumerate(captions)]
    path = tmp_path / name
    path.write_text(table(delimiter, order, captions))
    with pytest.raises(BadRecord, match=r"\(at line 2\).*--quoting none"):
        pairs(path)
    assert pairs(path, quoting="none") == expected
    report = InputReport(skip_bad=True)
    assert pairs(path, report) == expected[1:]
    assert report.skipped.count == 1


@pytest.mark.parametrize("paths", ["{}", "folder {}/photo", "photo {}.JPG"])
def test_paths_of_every_form_are_not_swallowed(tmp_path: Path, paths: str) -> None:
    for order in ("ic", "ci"):
        (tmp_path / "a.tsv").write_text(table("\t", order, CAPTIONS, paths))
        with pytest.raises(BadRecord, match="seems to hold other rows"):
            pairs(tmp_path / "a.tsv")
        assert len(pairs(tmp_path / "a.tsv", quoting="none")) == 4


def test_a_quotation_mark_that_ends_within_the_cell_is_refused_with_its_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(table(",", "ic", ["cap 0", '"quoted" word', "cap 2"]))
    with pytest.raises(BadRecord, match=r"expected after '\"' \(at line 3\).*--quoting none"):
        pairs(path)
    assert pairs(path, quoting="none")[1] == ("img/1.jpg", '"quoted" word')
    report = InputReport(skip_bad=True)
    assert [image for image, _ in pairs(path, report)] == ["img/0.jpg", "img/2.jpg"]


def test_cells_that_are_really_quoted_are_read(tmp_path: Path) -> None:
    captions = ["one, two", 'said "hi"', "a line\nbreak", "both, a\r\nline break, and more\n", ""]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["image", "caption"])
    writer.writerows([f"img/{n}.jpg", caption] for n, caption in enumerate(captions))
    path = tmp_path / "a.csv"
    path.write_bytes(out.getvalue().encode())
    expected = [(f"img/{n}.jpg", caption) for n, caption in enumerate(captions)]
    assert pairs(path) == pairs(path, quoting="csv") == expected


def test_what_looks_like_rows_is_read_whole_if_a_person_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('image,caption\na.jpg,"see b.jpg, c.jpg\nand d.jpg, too"\n')
    with pytest.raises(BadRecord, match=r"spans 2 lines .* \(at line 2\)"):
        pairs(path)
    assert pairs(path, quoting="csv") == [("a.jpg", "see b.jpg, c.jpg\nand d.jpg, too")]


def test_the_header_may_be_quoted_where_cells_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('"image"\t"caption"\na.jpg\t"open\n')
    assert pairs(path, quoting="none") == [("a.jpg", '"open')]


def test_lines_that_are_not_utf8_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"image,caption\na.jpg,a\nb.jpg,\xff\nc.jpg,\xe4\r\nd.jpg,d")
    with pytest.raises(BadRecord, match="not UTF-8 at byte 28"):
        pairs(path)
    report = InputReport(skip_bad=True)
    assert pairs(path, report) == [("a.jpg", "a"), ("d.jpg", "d")]
    assert [message.partition("not UTF-8 ")[2][:10] for message in report.skipped.messages] == [
        "at byte 28",
        "at byte 36",
    ]


def test_several_columns_of_captions(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("image,caption_1,caption_0,caption_10\nimg/0.jpg,b,a,c\nimg/1.jpg,,,\n")
    report = InputReport()
    assert pairs(path, report) == [("img/0.jpg", "a"), ("img/1.jpg", "")]
    assert report.passed_over["further captions of one image"].count == 2
    each = pairs(path, several_captions="each")
    assert each == [("img/0.jpg", text) for text in "abc"] + [("img/1.jpg", "")]


@pytest.mark.parametrize(
    ("cell", "captions"),
    [
        ("['a \\'cat\\'', \"two, 'x'\"]", ["a 'cat'", "two, 'x'"]),
        ('["a \\u00e9", "", "b"]', ["a é", "b"]),
        ('[ "a" , ]', ["a"]),
        ("['a' 'b']", ["['a' 'b']"]),
        ("['a'] on a sign", ["['a'] on a sign"]),
        ("[1, 2]", ["[1, 2]"]),
        ("[]", ["[]"]),
        ("", []),
        ("['" + "a', '" * 1000 + "']", ["a"] * 1000),
        ("['" + "[" * 5000, ["['" + "[" * 5000]),
    ],
)
def test_lists_of_captions_in_a_cell(cell: str, captions: list[str]) -> None:
    assert captions_in_cell(cell) == captions


def test_a_cell_with_a_list_is_several_captions(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("image,raw\n0.jpg,\"['a', 'b']\"\n1.jpg,[c]\n")
    report = InputReport()
    assert pairs(path, report, caption_column="raw") == [("0.jpg", "a"), ("1.jpg", "[c]")]
    assert passed_over(report) == {"further captions of one image": 1}


def test_bars_and_blanks_between_cells(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text('image_name| comment_number| comment\n0.jpg| 0| A dog .\n1.jpg| 0| "b| c"\n')
    assert pairs(path) == [("0.jpg", "A dog ."), ("1.jpg", "b| c")]
    path.write_text("image,caption\n0.jpg, a\n")
    assert pairs(path) == [("0.jpg", " a")]


@pytest.mark.parametrize("quoting", ["auto", "csv", "none"])
def test_a_caption_of_a_megabyte(tmp_path: Path, quoting: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("image\tcaption\n0.jpg\t" + "w " * 500_000 + "\n1.jpg\tb\n")
    assert [len(text) for _, text in pairs(path, quoting=quoting)] == [1_000_000, 1]


def test_a_table_is_known_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_text("image,caption\na.jpg,a\n")
    assert pairs(path) == [("a.jpg", "a")]


ROWS = st.lists(
    st.tuples(st.integers(0, 99), st.text('abc ",\n\t', max_size=12)), min_size=1, max_size=8
)


@given(ROWS, st.sampled_from(",\t;"))
def test_rows_are_never_fewer_than_lines_with_a_path(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str]], delimiter: str
) -> None:
    """Whatever stands in the captions, as it is: all paths are read, or something is refused."""
    captions = [caption.replace("\n", " ").replace(delimiter, " ") for _, caption in rows]
    path = tmp_path_factory.mktemp("rows") / "a.tsv"
    path.write_text(table(delimiter, "ic", captions))
    expected = [f"img/{n}.jpg" for n in range(len(rows))]
    assert [image for image, _ in pairs(path, quoting="none")] == expected
    report = InputReport(skip_bad=True)
    try:
        read = [image for image, _ in pairs(path, report)]
    except Exception as error:  # all are left out
        assert "holds no records" in str(error)
        read = []
    assert len(read) + report.skipped.count == len(rows)
    assert all(image in expected for image in read)


def test_the_commands_take_the_options(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(table("\t", "ic", CAPTIONS))
    options = ("--model", "dry-run", "--allow-missing")
    refused = cli("new", tmp_path / "a", path, *options)
    assert refused.returncode == 2 and "--quoting none" in refused.stderr
    made = cli("new", tmp_path / "a", path, *options, "--quoting", "none")
    assert "4 records" in made.stdout
    made = cli("new", tmp_path / "b", path, *options, "--skip-bad")
    assert "3 records" in made.stdout and "left out as unreadable: 1 record" in made.stderr
    done = cli("split", path, tmp_path / "parts", "--shards", 2, "--quoting", "none")
    assert done.returncode == 0
    done = cli("merge", tmp_path / "out.json", path, "--skip-bad")
    assert "3 records" in done.stdout and "left out as unreadable: 1 record" in done.stderr
