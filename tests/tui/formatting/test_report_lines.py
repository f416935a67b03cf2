"""What is said of how inputs were read."""

from __future__ import annotations

import pytest

from engine.datasets.inputs.input_report import BadRecord, InputReport
from tui.formatting.report_lines import captions_line, missing_captions, report_lines


@pytest.mark.parametrize(
    ("captioned", "records", "line"),
    [
        (0, 0, ""),
        (3, 3, ""),
        (1, 2, ""),
        (0, 1, "no record has an original caption"),
        (1, 3, "only 1 of 3 records have an original caption"),
        (4_999, 10_000, "only 4,999 of 10,000 records have an original caption"),
    ],
)
def test_fewer_captions_than_half_are_said(captioned: int, records: int, line: str) -> None:
    report = InputReport(captioned=captioned, records=records)
    assert missing_captions(report) == line
    assert list(report_lines(report)) == ([line] if line else [])


def test_the_keys_of_records_without_captions_are_named() -> None:
    report = InputReport(records=1)
    report.see_without_captions(["id", "image", "conversations"])
    line = "no record has an original caption: keys are id, image, conversations; name one with"
    assert missing_captions(report) == f"{line} --caption-column"
    many = InputReport(records=1, uncaptioned_keys=[f"{n:050}" for n in range(20)])
    assert len(missing_captions(many)) < 700 and ", ...; name" in missing_captions(many)


def test_every_reason_is_said_with_its_count_an_example_and_what_to_do() -> None:
    report = InputReport(skip_bad=True, records=1, captioned=1)
    report.pass_over("hidden files", "a/.x")
    report.pass_over("hidden files", "b/.y")
    report.pass_over("images in HEIC", "a/0.heic", "pip install it", count=1000)
    report.note("a.tar: joined")
    report.leave_out(BadRecord("c.tar: damaged"))
    assert list(report_lines(report)) == [
        "left out as unreadable: 1 record",
        "  c.tar: damaged",
        "passed over: hidden files (2, such as a/.x)",
        "passed over: images in HEIC (1,000, such as a/0.heic): pip install it",
        "a.tar: joined",
    ]
    assert captions_line(report) == "original captions: 1 of 1 record"
