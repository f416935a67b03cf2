"""All samples of a tar in compact arrays, in the order of their images."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

from engine.datasets.inputs.file_names import HIDDEN_FILES, is_hidden, why_no_image
from engine.datasets.inputs.tar_samples import File, file_of, group_files, key_of
from engine.images.tar_index import TarIndex, as_path

LOST_LINKS = "hard links to files that are not in the tar"
SYMBOLIC_LINKS = "symbolic links in tars"

PassOver = Callable[[str, str, str], None]
"""Takes why a file is in no sample, its name, and what to do about it."""


class SampleTable:
    """The images of a tar with their texts. Files are known by their positions in the index."""

    def __init__(self) -> None:
        self.images = array("I")
        """The image of each sample."""
        self.texts = array("I")
        """The texts of all samples, one sample after the other."""
        self.text_ends = array("Q")
        """Where the texts of each sample end in `texts`."""
        self.is_sorted = True
        """True if the files of each key stand together in the tar."""

    def add(self, image: int, texts: Iterator[int]) -> None:
        self.images.append(image)
        self.texts.extend(texts)
        self.text_ends.append(len(self.texts))

    def samples(self) -> Iterator[tuple[int, list[int]]]:
        """Yield each image with its texts, in the order of the images."""
        import numpy as np

        for number in array("Q", np.argsort(np.frombuffer(self.images, np.uint32)).tobytes()):
            start = self.text_ends[number - 1] if number else 0
            yield self.images[number], self.texts[start : self.text_ends[number]].tolist()


def find_samples(
    index: TarIndex, holds_image: Callable[[int], bool], pass_over: PassOver
) -> SampleTable:
    """Return the samples among the files of a tar.

    `holds_image` tells of a file whose suffix is not an image's whether its content is.
    """
    table = SampleTable()
    for name in index.symbolic_links:
        pass_over(SYMBOLIC_LINKS, name, "unpack the tar and give the folder")
    for positions in positions_by_key(index, table):
        files: dict[str, list[File]] = {}
        for position in positions:
            path = as_path(index.name(position))
            if position in index.lost_links:
                pass_over(LOST_LINKS, path, "")
            elif is_hidden(path):
                pass_over(HIDDEN_FILES, path, "")
            else:
                file = file_of(position, index.archive(position), path)
                files.setdefault(key_of(path), []).append(file)
        for key, of_key in files.items():  # nearly always one
            grouping = group_files(key, of_key, lambda file: holds_image(file.position))
            for sample in grouping.samples:
                if sample.image is not None:
                    table.add(sample.image.position, (text.position for text in sample.texts))
            for reason, file in grouping.passed_over:
                pass_over(reason, file.path, "")
            for file in grouping.others:
                reason, advice = why_no_image(file.path)
                pass_over(reason, file.path, advice)
    return table


def positions_by_key(index: TarIndex, table: SampleTable) -> Iterator[array[int]]:
    """Yield the positions of the files of each key, in their order.

    Two keys may come together if their hashes are equal. Sets `table.is_sorted`.
    """
    import numpy as np

    keys = (hash(key_of(as_path(index.name(position)))) for position in range(len(index)))
    hashes = np.fromiter(keys, np.int64, len(index))
    order = np.argsort(hashes, kind="stable")
    changes = np.flatnonzero(np.diff(hashes[order]))
    table.is_sorted = np.count_nonzero(np.diff(hashes)) == len(changes)
    positions = array("I", order.astype(np.uint32).tobytes())
    ends = array("Q", (changes + 1).astype(np.uint64).tobytes())
    del hashes, order, changes
    start = 0
    ends.append(len(positions))
    for end in ends if positions else ():
        yield positions[start:end]
        start = end
