"""The golden cases of a folder: of each family some, each in one or more layouts of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

FAMILIES = {
    "minigpt4": "minigpt-4",
    "minigpt4_llama2": "minigpt-4-llama2",
    "otter": "otter",
    "otter_llama": "otter-llama",
    "qwen_vl": "qwen-vl",
    "llava": "llava-1.5",
}


@dataclass(frozen=True)
class Case:
    """One golden folder, in one layout of its weights.

    `layout` names a second copy of the weights beside the official one; None is the official one.
    """

    id: str
    family: str
    folder: Path
    layout: str | None = None

    def expected_keys(self) -> list[str]:
        from engine.captioners.parity import NOT_COMPARED

        with safe_open(self.folder / "expected.safetensors", "numpy") as file:
            return sorted(set(file.keys()) - set(NOT_COMPARED))


def find_cases(root: Path) -> list[Case]:
    cases = []
    for name, family in FAMILIES.items():
        for file in sorted(root.glob(f"{name}/*/expected.safetensors")):
            folder = file.parent
            if family != "minigpt-4" or (folder / "eva_vit_g.pth").is_file():
                cases.append(Case(f"{name}/{folder.name}", family, folder))
            cases += [
                Case(f"{name}/{folder.name}/{layout}", family, folder, layout)
                for layout in ("hf", "hf_blip2")
                if (folder / layout).is_dir()
            ]
    return cases
