"""What a disk may hold after a power cut, as far as POSIX and the usual file systems allow.

Of the data of a file that was not synced, every sector may have any of the contents that it had
since the last sync, or zeros if it was new, and the file any of its sizes since, or one within an
append. Of the entries of folders that were not synced, any part may have been done. Where these
are more than `LIMIT`, evenly spaced ones are taken, after those that are most likely.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice, pairwise, product

from tests.sim.crash.operations import (
    DataOperation,
    Disk,
    Entries,
    EntryOperation,
    Link,
    Write,
    reachable,
    with_data,
    with_entries,
)

SECTOR = 32
"""Bytes that are written together. Real ones are larger, but so are real shards: a row has some 80
bytes here and is torn into three."""
LIMIT = 64
"""Most contents of one file that are combined with those of others."""
ALL_SUBSETS = 4
"""Unsynced operations on entries of which all 16 subsets are taken."""


def states_after_power_cut(disk: Disk, most: int) -> Iterator[Disk]:
    """Yield up to `most` disks that a power cut may leave, with nothing loose; the same each time.

    The first one has everything, the second one nothing that was loose.
    """
    choices: list[tuple[Entries, list[int], list[tuple[bytes, ...]], int]] = []
    for entries in entry_choices(disk):
        loose = [file for file in sorted(set(entries.values())) if file in disk.loose_data]
        contents = [legal_contents(disk.contents.get(f, b""), disk.loose_data[f]) for f in loose]
        count = 1
        for each in contents:
            count *= len(each)
        choices.append((entries, loose, contents, count))
    for number in spread(sum(count for *_, count in choices), most):
        k = 0
        while number >= choices[k][-1]:
            number -= choices[k][-1]
            k += 1
        entries, loose, contents, _ = choices[k]
        chosen = dict(disk.contents)
        for file, each in zip(loose, contents, strict=True):
            number, version = divmod(number, len(each))
            chosen[file] = each[version]
        files = set(entries.values())
        yield Disk(entries, {f: data for f, data in chosen.items() if f in files})


def entry_choices(disk: Disk) -> Iterator[Entries]:
    """Yield the entries that may be there, each once."""
    seen = set()
    for chosen in subsets(disk.loose_entries):
        if not is_possible(disk.entries, chosen):
            continue
        entries = reachable(with_entries(disk.entries, chosen))
        key = frozenset(entries.items())
        if key not in seen:
            seen.add(key)
            yield entries


def is_possible(entries: Entries, chosen: tuple[EntryOperation, ...]) -> bool:
    """Return True unless an entry would be made where another one still is."""
    for k, operation in enumerate(chosen):
        if isinstance(operation, Link) and operation.path in with_entries(entries, chosen[:k]):
            return False
    return True


def subsets(done: tuple[EntryOperation, ...]) -> Iterator[tuple[EntryOperation, ...]]:
    """Yield parts of what was done, in order: all, none, and then the others, or the simplest."""
    yield done
    yield ()
    if len(done) <= ALL_SUBSETS:
        for mask in product((False, True), repeat=len(done)):
            yield tuple(op for op, kept in zip(done, mask, strict=True) if kept)
        return
    for k in range(len(done)):
        yield done[:k]
        yield done[:k] + done[k + 1 :]
        yield done[k : k + 1]


@lru_cache(2_000)
def legal_contents(synced: bytes, done: tuple[DataOperation, ...]) -> tuple[bytes, ...]:
    """Return what a file may hold of which `synced` was synced before the operations `done`."""
    history = [with_data(synced, done[:k]) for k in range(len(done) + 1)]
    found = dict.fromkeys((history[-1], *history))
    sizes = dict.fromkeys(len(content) for content in history)
    for before, operation in zip(history, done, strict=False):
        if isinstance(operation, Write):
            for cut in cuts(operation.data):
                torn = with_data(before, [Write(0, operation.offset, operation.data[:cut])])
                found[torn] = None
                sizes[len(torn)] = None
    for content in list(found):
        for size in sizes:  # grown without its data
            if size > len(content):
                found[content.ljust(size, b"\0")] = None
    mixed = islice(mixed_sectors(history, list(sizes)), LIMIT)
    return tuple(islice(dict.fromkeys((*spread_of(list(found), LIMIT), *mixed)), 2 * LIMIT))


def cuts(data: bytes) -> list[int]:
    """Return the bytes of a write after which it may be torn: around and between line ends."""
    ends = [0, *(k + 1 for k in range(len(data)) if data[k : k + 1] == b"\n"), len(data)]
    middles = [(start + end) // 2 for start, end in pairwise(ends)]
    return sorted({1, *ends, *(end - 1 for end in ends), *middles} & set(range(1, len(data))))


def mixed_sectors(history: list[bytes], sizes: list[int]) -> Iterator[bytes]:
    """Yield contents in which each sector is from another time."""
    longest = max(map(len, history))
    versions = []
    for start in range(0, longest, SECTOR):
        end = min(start + SECTOR, longest)
        versions.append(
            list(dict.fromkeys(content[start:end].ljust(end - start, b"\0") for content in history))
        )
    counts = [len(each) for each in versions]
    total = len(sizes)
    for count in counts:
        total *= count
    for number in spread(total, LIMIT):
        number, k = divmod(number, len(sizes))
        pieces = []
        for each in versions:
            number, version = divmod(number, len(each))
            pieces.append(each[version])
        yield b"".join(pieces)[: sizes[k]]


def spread(total: int, most: int) -> list[int]:
    """Return up to `most` of the numbers below `total`, evenly spaced, the first two included."""
    if total <= most:
        return list(range(total))
    return list(dict.fromkeys((0, 1, *(k * total // most for k in range(most)))))[:most]


def spread_of(items: list[bytes], most: int) -> list[bytes]:
    return [items[k] for k in spread(len(items), most)]
