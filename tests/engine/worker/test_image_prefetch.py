"""The decoding threads: what becomes of an image that fails or is never read."""

from __future__ import annotations

import errno
import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.families.dry_run import DryRunCaptioner
from engine.captioners.settings import Settings
from engine.images.image import ImagePaths, ImageProblem
from engine.images.missing_root import ImageRootLost
from engine.worker.image_prefetch import DecodingStuck, ImagePrefetcher
from tests.support.pictures import draw_picture


@pytest.fixture
def prefetcher(tmp_path: Path) -> ImagePrefetcher:
    """Four threads that wait for no image, with a captioner and the image `a.png`."""
    draw_picture(tmp_path / "a.png", 7)
    made = ImagePrefetcher(ImagePaths(str(tmp_path)), 4, "cuda", image_seconds=0.0)
    made.set_captioner(DryRunCaptioner(Settings(batch=4)))
    return made


def endless() -> Future[Any]:
    """Return the future of an image whose read does not end."""
    return Future()


def ended(future: Future[Any]) -> Future[Any]:
    """Return the future once it has ended."""
    future.exception()
    return future


def test_an_image_is_prepared_and_its_cpu_time_counted(prefetcher: ImagePrefetcher) -> None:
    assert prefetcher.result("a.png", ended(prefetcher.start(0, "a.png")))
    assert prefetcher.cpu_seconds > 0
    prefetcher.set_captioner(None)
    assert prefetcher.cpu_seconds == 0


def test_a_file_that_came_with_its_record_is_read_in_place_of_the_path(
    prefetcher: ImagePrefetcher, tmp_path: Path
) -> None:
    prefetcher.add_file(3, (tmp_path / "a.png").read_bytes())
    assert prefetcher.result("gone.png", ended(prefetcher.start(3, "gone.png")))
    assert not prefetcher.received_files
    with pytest.raises(ImageProblem, match="no such file"):
        prefetcher.result("gone.png", ended(prefetcher.start(3, "gone.png")))


def test_a_read_that_does_not_end_fails_its_record_and_the_second_of_four_ends_the_worker(
    prefetcher: ImagePrefetcher,
) -> None:
    with pytest.raises(ImageProblem) as caught:
        prefetcher.result("a.png", endless())
    assert caught.value.kind == "timeout"
    with pytest.raises(DecodingStuck, match=r"reading b\.png does not end"):
        prefetcher.result("b.png", endless())


@pytest.mark.parametrize("image", ["a.png", "a.tar/b.png"])
@pytest.mark.parametrize(
    ("code", "expected"),
    [(errno.EMFILE, ImageRootLost), (errno.ENFILE, ImageRootLost), (errno.EIO, ImageProblem)],
)
def test_too_many_open_files_are_no_fault_of_an_image(
    prefetcher: ImagePrefetcher,
    monkeypatch: pytest.MonkeyPatch,
    image: str,
    code: int,
    expected: type[Exception],
) -> None:
    def fail(path: str, *_: object) -> int:
        raise NotADirectoryError if str(path).endswith("b.png") else OSError(code, "no")

    (Path(prefetcher.paths.root) / "a.tar").touch()
    with monkeypatch.context() as broken:
        broken.setattr(os, "open", fail)
        broken.setattr("builtins.open", fail)
        broken.setattr("io.open", fail)
        future = ended(prefetcher.start(0, image))
    prefetcher.image_seconds = 60.0
    with pytest.raises(expected):
        prefetcher.result(image, future)


def test_a_time_limit_within_a_decoder_is_no_blocked_thread(prefetcher: ImagePrefetcher) -> None:
    future = endless()
    future.set_exception(TimeoutError("in the decoder"))
    with pytest.raises(ImageProblem) as caught:
        prefetcher.result("a.png", future)
    assert caught.value.kind == "corrupt" and prefetcher.stuck_threads == 0
