"""With `stop_at_sentence` models that write sentences need fewer tokens for the same captions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.base import Caption
from engine.captioners.registry import FAMILIES
from engine.demo import checkpoint
from engine.demo.scenes import write_scenes
from engine.images.image import open_image
from engine.operations.demo_project import MODELS
from engine.shearing.shear import Shearing, shear

COUNT = 12


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, COUNT, 4_000_007)
    return sorted((folder / "images").iterdir())


# The demo LLaVA is in the llava-hf layout, which `hf` reads, too: through `generate`.
@pytest.mark.parametrize("name", [*MODELS, "hf"])
def test_a_caption_ends_with_its_first_sentence(name: str, pictures: list[Path]) -> None:
    model = "llava-1.5" if name == "hf" else name

    def ask(stop: bool) -> list[Caption]:
        settings = replace(
            FAMILIES[model].presets["paper"],
            dtype="float32",
            temperature=0.7,
            stop_at_sentence=stop,
        )
        captioner: Any = FAMILIES[name].load(str(checkpoint(model)), settings, "cpu")
        prepared = [captioner.prepare(open_image(str(path))) for path in pictures]
        return captioner.caption(prepared, range(COUNT))

    whole, stopped = ask(False), ask(True)
    for mode in ("paper", "sentence"):
        sheared = [
            [shear(it.raw, name, Shearing(mode), it.finish).text for it in captions]
            for captions in (whole, stopped)
        ]
        assert sheared[0] == sheared[1]
        assert all(sheared[1])
    assert all(long.raw.startswith(short.raw) for long, short in zip(whole, stopped, strict=True))
    assert sum(it.tokens for it in stopped) < sum(it.tokens for it in whole)
    assert {it.finish for it in stopped} == {"stop"}
