"""The tars of a proxy: those of each arm, as open_clip reads them, and those of the test.

An arm with several captions an image has its images in several passes. In each pass, an image comes
once, with one of its captions; over all passes, with each of them once. open_clip draws tars from
all passes. So its batches are as those of a training that draws one caption an image and epoch; the
captions of one image side by side, as `export --text expand` writes them, would meet in one batch,
where each is held for wrong beside the other.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

from engine.datasets.exports.image_files import ImageFile
from engine.datasets.exports.writers.base import LINE_BREAKS
from engine.datasets.exports.writers.wds import add_member
from engine.operations.proxy.arms import Arm
from engine.operations.proxy.complete_records import Captions
from engine.utils import jsonlines

TAR_IMAGES = 250
"""Images of a tar at most. open_clip begins each epoch anew with tars that it draws, and fills a
buffer of 1,000 samples before it takes the first one: of larger tars it might never reach the end.
Tars differ by one image at most, since each is drawn as often as the others."""


class ArmTars:
    """Writes the tars of an arm to a new folder, and how many samples each has: sizes.json."""

    def __init__(self, folder: Path, arm: Arm, images: int) -> None:
        self.folder = folder
        self.columns = arm.columns
        self.images = images
        """The images that will be added."""
        self.added = 0
        self.place = -1
        """The place of the open tars in their passes."""
        self.tars_of_pass = tars_of_pass(images)
        self.open: list[tarfile.TarFile] = []
        """The tar of each pass to which images are added."""
        self.sizes: dict[str, int] = {}
        folder.mkdir(parents=True)

    def add(self, record_id: int, file: ImageFile, captions: Captions) -> None:
        """Add an image to each pass, with another one of its captions."""
        place = self.added * self.tars_of_pass // self.images
        if place != self.place:
            self.begin_tars(place)
        for number, tar in enumerate(self.open):
            column = self.columns[(number + record_id) % len(self.columns)]
            add_sample(tar, record_id, file, captions[column])
            self.sizes[Path(str(tar.name)).name] += 1
        self.added += 1

    def begin_tars(self, place: int) -> None:
        """Begin the tar at this place in each pass; those of pass 0 come first."""
        self.end_tars()
        self.place = place
        for number in range(len(self.columns)):
            name = f"{number * self.tars_of_pass + place:05}.tar"
            self.open.append(open_tar(self.folder / name))
            self.sizes[name] = 0

    def end_tars(self) -> None:
        for tar in self.open:
            tar.close()
        self.open = []

    def close(self) -> None:
        self.end_tars()
        sizes = dict(sorted(self.sizes.items()))
        (self.folder / "sizes.json").write_bytes(jsonlines.dumps(sizes) + b"\n")


class WordingTar:
    """Writes the test in one wording: a folder as clip_benchmark reads it (`build_wds_dataset`)."""

    def __init__(self, folder: Path, column: str) -> None:
        self.column = column
        (folder / "test").mkdir(parents=True)
        (folder / "dataset_type.txt").write_text("retrieval\n")
        (folder / "test/nshards.txt").write_text("1\n")
        self.tar = open_tar(folder / "test/0.tar")

    def add(self, record_id: int, file: ImageFile, captions: Captions) -> None:
        """Add an image with its caption, made one line: clip_benchmark takes lines for captions."""
        add_sample(self.tar, record_id, file, LINE_BREAKS.sub(" ", captions[self.column]).strip())

    def close(self) -> None:
        self.tar.close()


def open_tar(path: Path) -> tarfile.TarFile:
    """Return a new tar, whose members carry no time and no owner."""
    return tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)


def add_sample(tar: tarfile.TarFile, record_id: int, file: ImageFile, text: str) -> None:
    """Add an image and its caption to a tar."""
    add_member(tar, f"{record_id:09}{file.suffix}", file.data)
    add_member(tar, f"{record_id:09}.txt", text.encode())


def tars_of_pass(images: int) -> int:
    """Return the number of tars that hold so many images once."""
    return -(-images // TAR_IMAGES)


def tar_names(folder: Path, tars: int) -> str:
    """Return the brace expression by which open_clip finds so many tars of a folder."""
    return f"{folder}/{{00000..{tars - 1:05}}}.tar" if tars > 1 else f"{folder}/00000.tar"
