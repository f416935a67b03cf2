from __future__ import annotations

import shutil

import pytest
import torch
from PIL import Image

from engine.captioners.registry import FAMILIES, Settings
from engine.images.image import open_image
from tests.support.checkpoints import CHECKPOINTS


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """For models this small more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """By family, a small checkpoint that loads and captions."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {name: make(folder / name) for name, make in CHECKPOINTS.items()}


@pytest.fixture(params=list(CHECKPOINTS))
def family(request):
    return FAMILIES[request.param]


@pytest.fixture
def broken(checkpoints, family, tmp_path):
    """A copy of the family's checkpoint to be damaged."""
    return shutil.copytree(checkpoints[family.name], tmp_path / "broken")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for number, size in enumerate([(60, 40), (42, 90), (56, 56), (33, 70), (80, 20)]):
        generator = torch.Generator().manual_seed(number)
        pixels = torch.randint(0, 256, (size[1], size[0], 3), generator=generator)
        path = folder / f"{number}.png"
        Image.fromarray(pixels.byte().numpy()).save(path)
        paths.append(path)
    return paths


@pytest.fixture
def ask(pictures):
    """Captions of the pictures, in batches, with their places as records."""

    def of(family, checkpoint, settings: Settings, batch: int = 5):
        captioner = family.load(str(checkpoint), settings, "cpu")
        prepared = [captioner.prepare(open_image(str(path))) for path in pictures]
        found = []
        for start in range(0, len(prepared), batch):
            part = prepared[start : start + batch]
            found += captioner.caption(part, range(start, start + len(part)))
        return found

    return of
