"""The rows of CSV and TSV, so that no quotation mark swallows rows.

The csv module takes everything from a quotation mark at the start of a cell to the next one as one
cell. Where a caption merely begins with a quotation mark, that is the rest of its row and the rows
after it.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.text_lines import LONGEST_LINE

SUFFIX = re.compile(r"[^\s./]\.([A-Za-z][A-Za-z0-9]{1,4})\"?\s*$")
"""The end of a cell that may be an image path."""
IMAGE_SUFFIXES = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "jxl"}
"""Suffixes that hardly any caption ends with."""
ADVICE = (
    "give --quoting none if quotation marks are part of the captions, or --quoting csv if such"
    " cells are one text"
)
"""What to do about a cell that seems to hold rows."""


csv.field_size_limit(LONGEST_LINE)  # the module's own limit is shorter than some captions

NumberedRow = tuple[int, list[str]]
"""The number of a row's first line, from 1, and its cells."""


class RowReader:
    """Iterates over the rows of a table; blank lines are passed over.

    Raises `BadRecord`, unless such rows are left out. Of a row that spans lines only the first line
    is left out, and the others are read again, as rows of their own.
    """

    def __init__(
        self,
        path: Path,
        lines: Iterator[str],
        delimiter: str,
        skip_blanks: bool,
        options: ReadOptions,
        report: InputReport,
    ) -> None:
        self.path = path
        self.lines = lines
        self.delimiter = delimiter
        self.skip_blanks = skip_blanks
        """True if blanks behind a delimiter belong to no cell."""
        self.options = options
        self.report = report
        self.again: deque[str] = deque()
        """Lines that come before those of `lines`, since they are read again."""
        self.taken: list[str] = []
        """The lines of the present row."""
        self.line = 1
        """The number of the next row's first line."""
        self.width: int | None = None
        """The number of cells that a row must have; None until the header is read."""

    def __iter__(self) -> Iterator[NumberedRow]:
        while True:
            reader = self.csv_reader()
            try:
                for cells in reader:
                    taken = self.taken
                    if len(taken) > 1 or len(cells) != self.width:
                        problem = self.problem(cells)
                        if problem is not None:
                            self.leave_out(problem, ADVICE if len(taken) > 1 else "")
                            break
                    if cells:
                        yield self.line, cells
                    self.line += len(taken)
                    taken.clear()
                else:
                    return
            except csv.Error as error:
                self.leave_out(f"not CSV: {error}", ADVICE)

    def csv_reader(self) -> Iterator[list[str]]:
        """Return a reader of the rows from the present line on."""
        has_quotes = self.options.quoting != "none"
        return csv.reader(
            self.next_lines(),
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if has_quotes else csv.QUOTE_NONE,
            skipinitialspace=self.skip_blanks,
            strict=has_quotes,
        )

    def next_lines(self) -> Iterator[str]:
        """Yield the lines that are to be read, and remember those of the present row."""
        while True:
            line = self.again.popleft() if self.again else next(self.lines, None)
            if line is None:
                return
            self.taken.append(line)
            yield line

    def problem(self, cells: list[str]) -> str | None:
        """Return what is wrong with the present row as a whole, or None."""
        if not cells:
            return None
        self.width = self.width or len(cells)
        lines = len(self.taken)
        if lines > 1 and self.options.quoting == "auto":
            swallowers = (cell for cell in cells if self.delimiter in cell and has_break(cell))
            if any(self.holds_rows(cell, cells) for cell in swallowers):
                return f"a quoted cell spans {lines} lines and seems to hold other rows"
        if len(cells) != self.width:
            return f"{len(cells)} columns, but the header has {self.width}"
        return None

    def holds_rows(self, cell: str, cells: list[str]) -> bool:
        """Return True if a cell with line breaks and delimiters seems to hold parts of rows.

        That is where a part of it is an image path, or where the paths of this table cannot be told
        from other words.
        """
        others = [suffix_of(other) for other in cells if other is not cell]
        suffixes = IMAGE_SUFFIXES.union(filter(None, others))
        parts = (part for line in cell.splitlines() for part in line.split(self.delimiter))
        return not any(others) or any(suffix_of(part) in suffixes for part in parts)

    def leave_out(self, problem: str, advice: str = "") -> None:
        """Leave out the first line of the present row, and have the others read again.

        Raises `BadRecord` unless such rows are left out.
        """
        where = f" (at line {self.line:,})"
        self.report.leave_out(BadRecord(f"{self.path}: {problem}{where}{advice and ': '}{advice}"))
        self.again.extendleft(reversed(self.taken[1:]))
        self.taken = []
        self.line += 1


def has_break(cell: str) -> bool:
    """Return True if a cell holds a line break."""
    return "\n" in cell or "\r" in cell


def suffix_of(cell: str) -> str:
    """Return the suffix of a cell, in lower case, as if it were a path; empty if it has none."""
    match = SUFFIX.search(cell)
    return match[1].lower() if match else ""


def header_of(line: str, delimiter: str) -> list[str]:
    """Return the names in a header; none if it is no CSV."""
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # raised as `BadInput` where the rows are read
        return []


def blanks_follow(line: str, delimiter: str) -> bool:
    """Return True if a blank follows each delimiter of a header: `image, caption`."""
    names = line.split(delimiter)[1:]
    return bool(names) and all(name.startswith(" ") for name in names)
