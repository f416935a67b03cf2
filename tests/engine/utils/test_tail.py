"""The end of a log file, read while it grows."""

from __future__ import annotations

from pathlib import Path

from engine.utils.tail import Tail, last_lines


def test_only_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("one\ntwo\nthr")
    tail = Tail(path)
    assert tail.read() == ["one", "two"]
    with path.open("a") as file:
        file.write("ee\nbar 1%\rbar 100%\n")
    assert tail.read() == ["three", "bar 100%"]
    assert tail.read() == []


def test_a_long_file_from_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(f"line {n}\n" for n in range(100_000)))
    tail = Tail(path, limit=200)
    assert tail.read()[-1] == "line 99999"
    assert tail.offset == path.stat().st_size
    assert last_lines(path, 2) == ["line 99998", "line 99999"]


def test_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("old\nolder\n")
    tail = Tail(path)
    tail.read()
    path.write_text("new\n")
    assert tail.read() == ["new"]
    path.rename(tmp_path / "a.log.1")
    path.write_text("another\n")
    assert tail.read() == ["another"]


def test_no_file(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log", 3) == []
