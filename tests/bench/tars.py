"""`tars`: samples a second from one WebDataset tar to shards, sorted by name and in random order.

The baseline is tarfile's own reading of the same headers.
"""

from __future__ import annotations

import random
import tarfile
import tempfile
from pathlib import Path

from engine.captioners.registry import choose
from engine.operations.new_project import NewProject, create
from tests.bench.measuring import measure, sizes
from tests.bench.report import report

IMAGE = b"\xff\xd8\xff" + bytes(300)
"""What stands for an image: `new` looks for images, and decodes a sample only."""


def write_tar(path: Path, count: int, shuffled: bool) -> None:
    """Write a tar of so many samples, each an image and a caption."""
    members = [(number, suffix) for number in range(count) for suffix in ("jpg", "txt")]
    if shuffled:
        random.Random(0).shuffle(members)
    with path.open("wb") as file:
        for number, suffix in members:
            data = IMAGE if suffix == "jpg" else b"a photo of number %d in a row" % number
            member = tarfile.TarInfo(f"{number:09}.{suffix}")
            member.size = len(data)
            file.write(member.tobuf(tarfile.USTAR_FORMAT))
            file.write(data + bytes(-len(data) % tarfile.BLOCKSIZE))
        file.write(bytes(2 * tarfile.BLOCKSIZE))


def read_headers(path: Path) -> None:
    """Read the headers of a tar as tarfile does, without keeping them."""
    with tarfile.open(path, "r:") as tar:
        while tar.next() is not None:
            tar.members = []  # type: ignore[attr-defined]


def main(cases: list[str]) -> None:
    for count in sizes(cases, 100_000, 1_000_000):
        for order in ("sorted", "random"):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                source = folder / "0.tar"
                write_tar(source, count, order == "random")
                theirs = measure(read_headers, source)
                new_project = NewProject(captions=[source], models=[choose("dry-run")])
                ours = measure(create, folder / "run", new_project)
            case = f"{count} {order} samples"
            report("tars", case, count / ours.seconds, "samples/s", count / theirs.seconds)
            cost = 1e6 / count
            report("tars", case, cost * ours.cpu, "CPU s/million", cost * theirs.cpu)
            report("tars", f"{case}, peak memory", ours.megabytes, "MB", theirs.megabytes)
