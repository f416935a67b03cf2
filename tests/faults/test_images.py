"""Odd images, as data sets hold them: each is captioned, or fails with its reason."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from db import progress
from db.connection import reading
from engine.project.layout import Project
from engine.supervisor.main import supervise
from tests.faults.support.invariants import check_invariants
from tests.faults.support.projects import exported_bytes, make_project, sums, tasks
from tests.faults.support.supervisor_process import FAST_POLICY
from tests.support.pictures import draw_picture, dry_run_caption

GOOD = {
    "1x1.png": ("RGB", (1, 1), "PNG"),
    "cmyk.jpg": ("CMYK", (20, 10), "JPEG"),
    "sixteen bits.png": ("I;16", (9, 9), "PNG"),
    "palette.gif": ("P", (9, 9), "GIF"),
    "bilevel.tiff": ("1", (9, 9), "TIFF"),
    "alpha.webp": ("RGBA", (9, 9), "WEBP"),
}
ODD_PATHS = [
    "with spaces.png",
    "line\nbreak\r\nand\ttab.png",
    "狗 собака كلب 🐕.png",
    "[bold]markup[/bold].png",
    "\x1b[31mred\x07.png",
    "a/../odd.png",
    "./odd.png",
    'quo"te\\.png',
    "%2e%2e/?uri=true.png",
    "-rf.png",
]
BAD = {
    "missing.png": "missing",
    "empty.png": "corrupt",
    "text.png": "corrupt",
    "truncated.png": "corrupt",
    "fifo": "not_a_file",
    "folder": "not_a_file",
    "bomb.png": "too_large",
    "/dev/zero": "not_a_file",
    "nul\0.png": "missing",
    "x" * 300: "unreadable",
    "loop.png": "unreadable",
    "../outside.png": "outside",
    "a/../../outside.png": "outside",
}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb() -> bytes:
    """Return a PNG that claims 60,000 x 60,000 pixels in its header."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    lines = zlib.compress(b"\0" * 10**6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image root with every kind of image, and a link that leads out of it."""
    root = tmp_path_factory.mktemp("zoo") / "root"
    root.mkdir()
    for name, (mode, size, kind) in GOOD.items():
        Image.new(mode, size).save(root / name, kind)
    frames = [Image.new("RGB", (8, 8), (i, 0, 0)) for i in range(3)]
    frames[0].save(root / "animated.gif", save_all=True, append_images=frames[1:])
    frames[0].save(root / "animated.png", save_all=True, append_images=frames[1:])
    Image.new("RGB", (8, 6)).save(root / "exif.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    for number, name in enumerate(ODD_PATHS):
        draw_picture(root / os.path.normpath(name), number)
    (root / "empty.png").write_bytes(b"")
    (root / "text.png").write_text("text")
    whole = (root / "sixteen bits.png").read_bytes()
    (root / "truncated.png").write_bytes(whole[: len(whole) - 25])
    os.mkfifo(root / "fifo")
    (root / "folder").mkdir()
    (root / "a").mkdir()
    (root / "bomb.png").write_bytes(bomb())
    (root / "loop.png").symlink_to("loop.png")
    draw_picture(root.parent / "outside.png", 77)
    draw_picture(root.parent / "elsewhere.png", 78)
    (root / "link.png").symlink_to(root.parent / "elsewhere.png")
    return root


def run(folder: Path, root: Path, images: list[str], **options: Any) -> Project:
    captions = root.parent / f"{folder.name}.json"
    captions.write_text(json.dumps([{"image": name, "caption": f"of {name}"} for name in images]))
    project = make_project(folder / "run", captions, 10, image_root=root, **options)
    assert supervise(project, "cpu:2", FAST_POLICY)
    return project


def test_every_image_is_captioned_or_fails_with_its_reason(tmp_path: Path, zoo: Path) -> None:
    animated = ["animated.gif", "animated.png", "exif.jpg"]
    linked = ["link.png", str(zoo.parent / "elsewhere.png")]  # an absolute path, and a link
    good = [*GOOD, *animated, *ODD_PATHS, *linked]
    mixed = [name for pair in zip(good, [*BAD, *good], strict=False) for name in pair]
    images = list(dict.fromkeys([*mixed, *good, *BAD]))
    project = run(tmp_path, zoo, images)
    check_invariants(project)
    done = sums(project)["done"]
    assert (done.captioned, done.failed) == (len(good), len(BAD))
    exported = json.loads(exported_bytes(project))
    assert [record["image"] for record in exported] == [name for name in images if name in good]
    for record in exported:
        assert record["caption"] == dry_run_caption(zoo / record["image"])
    with reading(project.database) as connection:
        failures = progress.failures(connection)
    shards = {task.id: task.shard for task in tasks(project)}
    reasons = {
        images[shards[failure.task_id] * 10 + i]: failure.kind
        for failure in failures
        for i, _ in failure.examples
    }
    assert reasons == BAD


def test_paths_out_of_the_root_only_where_they_were_allowed(tmp_path: Path, zoo: Path) -> None:
    project = run(tmp_path, zoo, ["../outside.png", "1x1.png"], allow_outside=True)
    check_invariants(project)
    assert sums(project)["done"].captioned == 2


def test_a_file_name_that_is_not_utf_8(tmp_path: Path, zoo: Path) -> None:
    """Python and JSON write a byte that is not UTF-8 as a lone surrogate."""
    name = os.fsdecode(b"caf\xe9.png")
    draw_picture(zoo / "plain.png", 5)
    try:
        (zoo / "plain.png").rename(zoo / name)
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    project = run(tmp_path, zoo, [name, "lone \ud83d.png", "1x1.png"])
    assert sums(project)["done"].captioned == 2
    assert b"caf\\udce9.png" in exported_bytes(project)
