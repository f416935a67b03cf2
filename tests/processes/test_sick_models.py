"""One device, two healthy models and ten sick ones: each sick one is refused in its sentence."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from db import progress, projects
from db.connection import reading
from engine.demo import checkpoint
from engine.project.opening import open_project
from tests.support.cli import cli, cli_ok
from tests.support.pictures import make_captions

Change = Callable[[Path], object]
"""Makes the folder of a healthy model sick."""


def config(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


def drop_a_weight(folder: Path) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    del weights["multi_modal_projector.linear_1.bias"]
    save_file(weights, file, metadata={"format": "pt"})


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


SICK_AT_LOAD: dict[str, tuple[Change, str]] = {
    "code": (config(model_type="minicpmv", auto_map={"AutoModel": "own.X"}), "never run"),
    "unknown": (config(model_type="kimi_vl"), "has no model of the type 'kimi_vl': take a copy"),
    "text": (config(model_type="llama"), "writes text and takes no image; take one"),
    "fp8": (config(quantization_config={"quant_method": "fp8"}), r"quantized \(fp8\)"),
    "unmatched": (config(image_token_index=5), "fails at a test picture .* download it again"),
    "incomplete": (drop_a_weight, "missing keys: .*linear_1.bias; download it again"),
    "cut": (cut, r"is damaged or cut short .*: download it again"),
}
"""What a project is made with, and what a load then says."""
SICK_LATER: dict[str, tuple[Change, str]] = {
    "pointer": (
        lambda it: (it / "model.safetensors").write_text("version https://git-lfs.github.com/spec"),
        "pointer of Git LFS",
    ),
    "adapter": (lambda it: (it / "adapter_config.json").write_text("{}"), "--set NAME.adapter="),
    "gone": (shutil.rmtree, "no such checkpoint folder"),
}
"""What becomes sick after `new`, which would refuse it."""


def test_each_sick_model_is_refused_and_the_device_works_on(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 3)
    models: list[object] = []
    for name in ("healthy", *SICK_AT_LOAD, *SICK_LATER):
        folder = Path(shutil.copytree(checkpoint("llava-1.5"), tmp_path / name))
        models += ["--model", f"{name}=hf:{folder}"]
        if name in SICK_AT_LOAD:
            SICK_AT_LOAD[name][0](folder)
    models += ["--model", f"llava-1.5={checkpoint('llava-1.5')}"]
    cli_ok("new", tmp_path / "run", captions, *models)
    for name, (change, _) in SICK_LATER.items():
        change(tmp_path / name)

    result = cli("run", tmp_path / "run", "--devices", "cpu")
    project = open_project(tmp_path / "run")
    with reading(project.database) as connection:
        rows = {it.name: it for it in projects.models(connection)}
        sums = {it.model_id: it for it in progress.task_sums(connection)}
        events = progress.events(connection, limit=1000)
    assert len(rows) == 12
    for name in ("healthy", "llava-1.5"):
        assert rows[name].blocked is None and sums[rows[name].id].left == 0
    for name, (_, sentence) in (SICK_AT_LOAD | SICK_LATER).items():
        blocked = str(rows[name].blocked)
        assert re.search(sentence, blocked), blocked
        assert "\n" not in blocked and "Traceback" not in blocked
    sick = {*SICK_AT_LOAD, *SICK_LATER}
    assert {it.model for it in events if it.level != "info"} == sick, "a device has failed, too"
    assert result.returncode == 1
