"""Opening images, bad ones included, resolving their paths, and a lost image root."""

from __future__ import annotations

import os
import random
import struct
import tarfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine.images import table_images
from engine.images.image import ImagePaths, ImageProblem, open_image, read_image_bytes
from engine.images.missing_root import MISSES_BEFORE_PROBE, ImageRootLost, MissingImages
from engine.protocol.caption_row import ErrorRow
from engine.protocol.messages import ImageAccess


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 100)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def noise(mode: str = "RGB") -> Image.Image:
    return Image.frombytes("RGB", (64, 48), random.Random(1).randbytes(64 * 48 * 3)).convert(mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    noise().save(tmp_path / "good.jpg")
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("this is text")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "bomb.png").write_bytes(huge_png(60_000, 60_000))
    (tmp_path / "script.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("absent.jpg", "missing"),
        ("good.jpg/below.jpg", "missing"),
        ("text.jpg", "corrupt"),
        ("truncated.jpg", "corrupt"),
        ("empty.png", "corrupt"),
        ("script.eps", "corrupt"),
        ("bomb.png", "too_large"),
        ("folder.png", "not_a_file"),
        ("fifo.png", "not_a_file"),
        ("loop.png", "unreadable"),
        ("x" * 300, "unreadable"),
    ],
)
def test_an_image_that_cannot_be_captioned_has_a_reason(folder: Path, name: str, kind: str) -> None:
    with pytest.raises(ImageProblem) as caught:
        open_image(str(folder / name)).decode()
    assert caught.value.kind == kind
    assert caught.value.detail


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!DOCTYPE html><html>", "the file starts with the text '<!DOCTYPE ht'"),
        (b"404: it's\n\tgone", 'the file starts with the text "404: it\'s g"'),
        (b"\0" * 20, "the file starts with the bytes 00 00 00 00 00 00 00 00 00 00 00 00"),
        (b"PK\x03\x04zip", "the file starts with the bytes 50 4b 03 04 7a 69 70"),
        (b"\n \n", "the file starts with the bytes 0a 20 0a"),
        (b"", "the file is empty"),
    ],
)
def test_what_is_no_image_is_described_in_words(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "image.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageProblem) as caught:
        open_image(str(path))
    assert caught.value.detail == f"not an image: {words}"


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK", "1", "LA", "I;16", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / f"image.{'tif' if mode in ('CMYK', 'YCbCr') else 'png'}"
    image = Image.new("I;16", (64, 48), 40_000) if mode == "I;16" else noise(mode)
    image.save(path)
    picture = open_image(str(path))
    assert (picture.width, picture.height) == (64, 48)
    assert picture.crc32 == zlib.crc32(path.read_bytes())
    rgb = picture.rgb()
    assert (rgb.mode, rgb.size) == ("RGB", (64, 48))
    if mode == "I;16":
        assert rgb.getpixel((0, 0)) == (156, 156, 156)


def test_the_first_frame_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert open_image(str(tmp_path / "a.gif")).rgb().getpixel((0, 0)) == (255, 0, 0)


def test_exif_rotation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    noise().save(tmp_path / "turned.jpg", exif=exif)
    assert open_image(str(tmp_path / "turned.jpg")).rgb().size == (64, 48)


@pytest.mark.parametrize(
    ("image", "resolved"),
    [
        ("a/b.jpg", "/root/a/b.jpg"),
        ("/data/b.jpg", "/data/b.jpg"),
        ("a/../b.jpg", "/root/a/../b.jpg"),
        ("old/b.jpg", "/new/b.jpg"),
    ],
)
def test_paths_are_resolved_as_written(image: str, resolved: str) -> None:
    assert ImagePaths("/root", (("old/", "/new/"),)).resolve(image) == resolved


@pytest.mark.parametrize("image", ["..", "../b.jpg", "a/../../b.jpg", "./../b.jpg"])
def test_paths_that_climb_out_are_refused_unless_allowed(image: str) -> None:
    with pytest.raises(ImageProblem) as caught:
        ImagePaths("/root").resolve(image)
    assert caught.value.kind == "outside"
    assert ImagePaths("/root", allow_outside=True).resolve(image)


@pytest.fixture
def linked_root(tmp_path: Path) -> Path:
    """An image root that a link names, with images and links in it, and with images outside."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "folder").mkdir(parents=True)
    outside.mkdir()
    for path in (inside / "a.png", inside / "folder/b.png", outside / "c.png"):
        path.write_bytes(b"png")
    for folder in (inside, outside):
        with tarfile.open(folder / "x.tar", "w") as tar:
            tar.add(inside / "a.png", "a.png")
    (inside / "link.png").symlink_to(outside / "c.png")
    (inside / "away").symlink_to(outside)
    (inside / "away.tar").symlink_to(outside / "x.tar")
    (inside / "within.png").symlink_to("folder/b.png")
    (inside / "loop.png").symlink_to("loop.png")
    (tmp_path / "root").symlink_to("inside")
    return tmp_path / "root"


@pytest.mark.parametrize(
    "image",
    [
        "{parent}/outside/c.png",
        "/etc/passwd",
        "/dev/stdin",
        "../outside/c.png",
        "folder/../../outside/c.png",
        "away/../outside/c.png",
        "link.png",
        "away/c.png",
        "away.tar/a.png",
        "away/x.tar/a.png",
        "mapped/c.png",
        "../inside-not/c.png",
        "away/absent.png",
    ],
)
def test_confined_paths_lead_out_of_the_root_in_no_way(linked_root: Path, image: str) -> None:
    path_map = (("mapped/", f"{linked_root.parent}/outside/"),)
    paths = ImagePaths(str(linked_root), path_map, allow_outside=True, confined=True)
    with pytest.raises(ImageProblem) as caught:
        paths.resolve(image.format(parent=linked_root.parent))
    assert caught.value.kind == "outside"
    assert "run --allow-outside" in caught.value.detail


@pytest.mark.parametrize(
    "image",
    [
        "a.png",
        "folder/b.png",
        "{parent}/root/a.png",
        "{parent}/inside/a.png",
        "folder/../a.png",
        "../inside/a.png",
        "within.png",
        "x.tar/a.png",
        "absent.png",
        "loop.png",
        "lone \ud83d.png",
    ],
)
def test_what_lies_in_the_root_is_not_refused(linked_root: Path, image: str) -> None:
    paths = ImagePaths(str(linked_root), allow_outside=True, confined=True)
    path = paths.resolve(image.format(parent=linked_root.parent))
    assert path == ImagePaths(str(linked_root), allow_outside=True).resolve(
        image.format(parent=linked_root.parent)
    )


MISSING = ImageProblem("missing", "no such file")


def row(i: int) -> ErrorRow:
    return ErrorRow(i=i, error="missing", detail="no such file")


def test_a_few_missing_images_are_failed_records(folder: Path) -> None:
    missing_images = MissingImages(ImagePaths(str(folder)), "good.jpg")
    assert missing_images.on_problem(0, "0.jpg", MISSING) == []
    assert missing_images.on_image_read("good.jpg") == [row(0)]
    assert missing_images.settle() == []


def test_an_image_that_is_not_missing_fails_at_once_and_settles_nothing(folder: Path) -> None:
    missing_images = MissingImages(ImagePaths(str(folder)), "good.jpg")
    missing_images.on_problem(0, "0.jpg", MISSING)
    corrupt = ErrorRow(i=1, error="corrupt", detail="cut off")
    assert missing_images.on_problem(1, "1.jpg", ImageProblem("corrupt", "cut off")) == [corrupt]
    assert missing_images.withheld == [("0.jpg", row(0))]


def test_where_images_are_missing_is_what_the_supervisor_said() -> None:
    access = ImageAccess(
        root="/root", path_map=(("old/", "/new/"),), allow_outside=True, witness="a.jpg"
    )
    missing_images = MissingImages.of(access)
    assert missing_images.paths == ImagePaths("/root", (("old/", "/new/"),), True)
    assert missing_images.witness == "a.jpg"


def test_many_missing_images_are_failed_records_while_the_root_stands(folder: Path) -> None:
    missing_images = MissingImages(ImagePaths(str(folder)), "good.jpg")
    count = 2 * MISSES_BEFORE_PROBE
    released = [
        sent for i in range(count) for sent in missing_images.on_problem(i, f"{i}.jpg", MISSING)
    ]
    assert released == [row(i) for i in range(count)]


@pytest.mark.parametrize("gone", ["root", "witness"])
def test_missing_images_are_withheld_when_the_root_is_gone(folder: Path, gone: str) -> None:
    root = folder / "unmounted" if gone == "root" else folder
    missing_images = MissingImages(ImagePaths(str(root)), "good.jpg")
    if gone == "witness":
        (folder / "good.jpg").unlink()
    for i in range(MISSES_BEFORE_PROBE - 1):
        assert missing_images.on_problem(i, f"{i}.jpg", MISSING) == []
    with pytest.raises(ImageRootLost, match="mounted"):
        missing_images.on_problem(MISSES_BEFORE_PROBE, "last.jpg", MISSING)
    missing_images.discard()
    missing_images.on_problem(0, "0.jpg", MISSING)
    with pytest.raises(ImageRootLost):
        missing_images.settle()


@pytest.mark.parametrize("read", ["the last of them", "another", "nothing more"])
def test_a_root_that_is_back_when_it_is_probed_was_lost(folder: Path, read: str) -> None:
    missing_images = MissingImages(ImagePaths(str(folder)), None)
    missing_images.on_problem(0, "not there.jpg", MISSING)
    missing_images.on_problem(1, "good.jpg", MISSING)
    with pytest.raises(ImageRootLost, match=r"good.jpg was missing and is there again"):
        if read == "the last of them":
            missing_images.on_image_read("good.jpg")
        elif read == "another":
            missing_images.on_image_read("another.jpg")
        else:
            missing_images.settle()


def test_a_row_without_content_is_missing_also_when_it_is_looked_for_again(tmp_path: Path) -> None:
    table = tmp_path / "images.parquet"
    pq.write_table(pa.table({"image": pa.array([None, None], pa.binary())}), table)
    missing_images = MissingImages(ImagePaths(str(tmp_path)), None)
    image = f"images.parquet/{table_images.address('image', 0, '.jpg')}"
    with pytest.raises(ImageProblem) as problem:
        read_image_bytes(missing_images.paths.resolve(image))
    missing_images.on_problem(0, image, problem.value)
    assert [row.error for row in missing_images.settle()] == ["missing"]


@pytest.mark.parametrize(
    ("side", "decoded"), [(96, (320, 240)), (48, (160, 120)), (121, (640, 480)), (400, (640, 480))]
)
def test_a_draft_keeps_twice_the_side(tmp_path: Path, side: int, decoded: tuple[int, int]) -> None:
    noise().resize((640, 480)).save(tmp_path / "large.jpg")
    picture = open_image(str(tmp_path / "large.jpg"))
    picture.draft(side)
    assert picture.rgb().size == decoded
    assert (picture.width, picture.height) == (640, 480)


def test_only_jpegs_are_drafted(tmp_path: Path) -> None:
    noise().resize((640, 480)).save(tmp_path / "large.png")
    picture = open_image(str(tmp_path / "large.png"))
    picture.draft(16)
    assert picture.rgb().size == (640, 480)
