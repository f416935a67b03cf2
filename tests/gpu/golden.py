"""The golden fixtures on the device: what the official code computed, in float32 without TF32."""

from __future__ import annotations

from pathlib import Path

import torch

from engine.captioners.parity import LOADERS, checks
from tests.gpu.machine import Machine, parse_machine, report

FOLDER = Path(__file__).parents[1] / "golden"
FAMILIES = {
    "minigpt4": "minigpt-4",
    "otter": "otter",
    "qwen_vl": "qwen-vl",
    "llava": "llava-1.5",
}
"""The family of each folder of fixtures."""


def main(machine: Machine) -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    for name, family in FAMILIES.items():
        for file in sorted(FOLDER.glob(f"{name}/*/expected.safetensors")):
            folder = file.parent
            if family == "minigpt-4" and not (folder / "eva_vit_g.pth").is_file():
                continue
            model, _ = LOADERS[family](folder, torch.float32)
            for check in checks(family, model.to(machine.device), folder):
                case = f"{name}/{folder.name} {check.name}, at most {check.limit:g}"
                report(case, check.worst, "largest difference", check.good)


if __name__ == "__main__":
    main(parse_machine())
