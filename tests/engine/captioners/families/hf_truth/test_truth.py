"""Every tiny checkpoint says of every picture what its family's own processor has it say.

Greedily, in float32, whether a picture is alone or in a batch of eight. A few families run in
`make test`, all of them in `make slow`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
from transformers.utils import is_torchvision_available

from engine.captioners.base import CheckpointError
from engine.captioners.open_models import OPEN_MODELS, types_by_state
from engine.captioners.registry import FAMILIES
from engine.images.image import ImageProblem, open_image
from tests.engine.captioners.families.hf_truth import (
    further,
    llava_like,
    other_chat,
    pictures,
    plain_calls,
    qwen_like,
    truth,
)
from tests.engine.captioners.families.hf_truth import making as tiny_checkpoints

pytestmark = pytest.mark.usefixtures("templates_in_this_process")

MODULES = (llava_like, qwen_like, other_chat, plain_calls, further)
"""The modules whose import fills the table of families."""
QUICK = {
    *("llava_whose_template_begins_with_bos", "llava_whose_template_is_for_texts"),
    *("llava_without_template", "llava_next"),
    *("qwen2_5_vl", "smolvlm", "idefics2", "mllama", "janus", "emu3"),
    *("blip", "blip2_opt", "florence2", "paligemma", "vit_gpt2", "idefics"),
}
"""One family of each way to be asked, to be padded and to be preprocessed."""
NEEDS_TORCHVISION = {"cohere2_vision", "mistral3", "lfm2_vl", "llama4"}
"""Families whose image processor transformers has for torchvision only."""
SETTINGS = replace(
    FAMILIES["hf"].presets["paper"],
    prompt=truth.PROMPT,
    max_new_tokens=truth.NEW_TOKENS,
    dtype="float32",
)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return pictures.draw(tmp_path_factory.mktemp("pictures"))


def say(captioner: Any, paths: list[Path], size: int) -> list[str | None]:
    """Return the captions of pictures in batches of a size; None for a refused one."""
    said: list[str | None] = [None] * len(paths)
    ready = []
    for number, path in enumerate(paths):
        try:
            ready.append((number, captioner.prepare(open_image(str(path)))))
        except ImageProblem as problem:
            assert problem.kind == "refused"
    for start in range(0, len(ready), size):
        numbers, inputs = zip(*ready[start : start + size], strict=True)
        for number, caption in zip(numbers, captioner.caption_each(inputs, numbers), strict=True):
            said[number] = None if isinstance(caption, ImageProblem) else caption.raw
    return said


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow])
        for name in tiny_checkpoints.FAMILIES
    ],
)
def test_it_says_what_its_own_processor_has_it_say(
    name: str, paths: list[Path], tmp_path: Path
) -> None:
    tiny = tiny_checkpoints.FAMILIES[name]()
    folder = tiny_checkpoints.write(tiny, tmp_path / name)
    if name in NEEDS_TORCHVISION and not is_torchvision_available():
        with pytest.raises(CheckpointError, match=r"needs torchvision.*pip install torchvision"):
            FAMILIES["hf"].load(str(folder), SETTINGS, "cpu")
        return
    own = truth.own_texts(folder, tiny, [open_image(str(it)).rgb() for it in paths])
    captioner = FAMILIES["hf"].load(str(folder), SETTINGS, "cpu")
    assert say(captioner, paths, 1) == own
    # A picture at which the authors' own code fails alone may pass among others.
    together = zip(say(captioner, paths, 8), own, strict=True)
    assert all(said == expected for said, expected in together if expected is not None)
    assert len(set(own)) > 3, "the pictures hardly change what it says"


def test_the_table_has_the_types_of_transformers() -> None:
    types = {name.partition("/")[0] for name in OPEN_MODELS}
    assert types == set(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)


def test_a_type_is_tried_if_a_tiny_checkpoint_of_it_is() -> None:
    made = {make().config.model_type for make in tiny_checkpoints.FAMILIES.values()}
    assert set(types_by_state()["tried"]) == made
