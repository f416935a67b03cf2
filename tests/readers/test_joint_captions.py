"""Our own reader, `JointCaptions`, of the project and of its exports, in a data loader."""

from __future__ import annotations

import pytest
from torch.utils.data import DataLoader

from engine.datasets import JointCaptions
from engine.datasets.joint import Sample
from engine.images.image import open_image
from tests.readers.colours import number_of
from tests.readers.conftest import Call
from tests.readers.hostile_project import HostileProject, is_utf8


def numbered(sample: Sample) -> tuple[int, list[str], str]:
    """Return the number that the image tells, its captions, and the one that is drawn."""
    with open_image(sample.image).image as image:
        return number_of(image), sample.captions, sample.caption


@pytest.mark.parametrize("format", ["project", "columns", "per-model", "json"])
def test_every_caption_is_on_its_image(
    export_to: Call, hostile: HostileProject, format: str
) -> None:
    source = hostile.project.folder
    if format != "project":
        source = export_to(f"out-{format}", "--format", format).path
    data = JointCaptions(source, image_root=hostile.root, transform=numbered)
    loader = DataLoader(
        data,
        batch_size=None,
        sampler=data.sampler(),
        num_workers=2,
        multiprocessing_context="fork",
    )
    samples = list(loader)
    pairs = sorted((number, caption) for number, captions, _ in samples for caption in captions)
    if format == "columns":
        assert pairs == hostile.pairs(keep=is_utf8)
    else:
        assert pairs == hostile.pairs(any_path=True)
    assert all(drawn in captions for _, captions, drawn in samples)
    assert len({number for number, *_ in samples}) == len(samples)
