"""Fixtures for tests that load small checkpoints. The conftest of such a folder imports them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from engine.captioners.base import Caption
from engine.captioners.model_families import Family
from engine.captioners.registry import FAMILIES, Settings
from engine.images.image import open_image
from tests.support.checkpoints import CHECKPOINTS


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Limit torch to one thread: for models this small, more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small checkpoints that load and caption, by family."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {name: make(folder / name) for name, make in CHECKPOINTS.items()}


@pytest.fixture(params=list(CHECKPOINTS))
def family(request: pytest.FixtureRequest) -> Family:
    """Each family of models in turn."""
    return FAMILIES[request.param]


@pytest.fixture
def damaged_checkpoint(checkpoints: dict[str, Path], family: Family, tmp_path: Path) -> Path:
    """A copy of the family's checkpoint, for the test to damage."""
    return shutil.copytree(checkpoints[family.name], tmp_path / "damaged_checkpoint")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The paths of five pictures of noise, of different sizes."""
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
def caption_pictures(pictures: list[Path]) -> Callable[..., Any]:
    """A function that captions the pictures in batches, with their numbers as record ids."""

    def caption(
        family: Family, checkpoint: Path, settings: Settings, batch: int = 5
    ) -> list[Caption]:
        captioner: Any = family.load(str(checkpoint), settings, "cpu")
        prepared = [captioner.prepare(open_image(str(path))) for path in pictures]
        captions = []
        for start in range(0, len(prepared), batch):
            part = prepared[start : start + batch]
            captions += captioner.caption(part, range(start, start + len(part)))
        return captions

    return caption
