"""The model of a disk, and what it says a power cut may leave."""

from __future__ import annotations

from tests.sim.crash.legal_states import SECTOR, legal_contents, states_after_power_cut
from tests.sim.crash.operations import (
    FOLDER,
    Disk,
    Link,
    Operation,
    Rename,
    SyncFile,
    SyncFolder,
    Truncate,
    Unlink,
    Write,
)

ROW = b'{"i":3,"raw":"a dog"}\n'


def disk_after(disk: Disk, *operations: Operation) -> Disk:
    for operation in operations:
        disk = disk.after(operation)
    return disk


def what_may_be_left(disk: Disk) -> list[dict[str, bytes | None]]:
    return [state.visible() for state in states_after_power_cut(disk, 10_000)]


def test_an_append_may_be_there_missing_torn_or_zeros() -> None:
    found = legal_contents(b"old\n", (Write(1, 4, ROW),))
    assert {b"old\n", b"old\n" + ROW, b"old\n" + ROW[:-1], b"old\n" + ROW[:1]} <= set(found)
    assert b"old\n" + bytes(len(ROW)) in found
    assert all(content.startswith(b"old\n") for content in found)
    assert len(found) == len(set(found))


def test_the_sectors_of_an_append_may_come_in_any_order() -> None:
    first, second, third = (letter * SECTOR for letter in (b"a", b"b", b"c"))
    found = legal_contents(b"", (Write(1, 0, first + second + third),))
    assert bytes(SECTOR) + second + bytes(SECTOR) in found
    assert first + bytes(SECTOR) + third in found


def test_what_was_cut_may_show_within_what_was_written_over_it() -> None:
    old, new = b"a" * 2 * SECTOR, b"b" * 2 * SECTOR
    found = legal_contents(old, (Truncate(1, 0), Write(1, 0, new)))
    assert b"b" * SECTOR + b"a" * SECTOR in found
    cut_first = disk_after(
        Disk({"log": 1}, {1: old}), Truncate(1, 0), SyncFile(1), Write(1, 0, new)
    )
    assert not any(b"a" in (files["log"] or b"") for files in what_may_be_left(cut_first))


def test_what_was_synced_stays() -> None:
    disk = disk_after(
        Disk(), Link("log", 1), Write(1, 0, ROW), SyncFile(1), SyncFolder(""), Write(1, 22, ROW)
    )
    states = what_may_be_left(disk)
    assert len(states) > 5
    assert all((files["log"] or b"").startswith(ROW) for files in states)


def test_a_file_may_be_lost_though_it_was_synced() -> None:
    disk = disk_after(Disk(), Link("log", 1), Write(1, 0, ROW), SyncFile(1))
    assert what_may_be_left(disk) == [{"log": ROW}, {}]


def test_a_folder_may_be_lost_with_all_that_is_in_it() -> None:
    made = (Link("model", FOLDER), Link("model/log", 1), Write(1, 0, ROW), SyncFile(1))
    disk = disk_after(Disk(), *made, SyncFolder("model"))
    assert {} in what_may_be_left(disk)
    assert what_may_be_left(disk_after(disk, SyncFolder(""))) == [{"model": None, "model/log": ROW}]


def test_a_rename_is_there_with_or_without_its_data_or_not_at_all() -> None:
    disk = disk_after(
        Disk({"name": 1}, {1: b"old"}),
        Link("part", 2),
        Write(2, 0, b"new"),
        Rename("part", "name", 2),
    )
    states = what_may_be_left(disk)
    names = [files.get("name") for files in states]
    assert {b"old", b"new", b"", b"\0\0\0"} <= set(names)
    assert all(name is not None for name in names)
    synced = disk_after(
        Disk({"name": 1}, {1: b"old"}),
        Link("part", 2),
        Write(2, 0, b"new"),
        SyncFile(2),
        Rename("part", "name", 2),
    )
    assert {files.get("name") for files in what_may_be_left(synced)} == {b"old", b"new"}


def test_operations_on_entries_may_come_in_any_order() -> None:
    disk = disk_after(Disk({"a": 1, "b": 2}, {1: b"1", 2: b"2"}), Unlink("a"), Unlink("b"))
    left = [sorted(files) for files in what_may_be_left(disk)]
    assert sorted(left) == [[], ["a"], ["a", "b"], ["b"]]


def test_the_states_are_as_many_as_were_asked_for_and_the_same_each_time() -> None:
    disk = disk_after(
        Disk(), *(op for k in range(1, 6) for op in (Link(f"{k}", k), Write(k, 0, ROW)))
    )
    states = list(states_after_power_cut(disk, 100))
    assert len(states) == 100
    assert states == list(states_after_power_cut(disk, 100))
    assert states[0].visible() == disk.visible()
