"""The golden fixtures on the device: what the official code computed, in float32 without TF32."""

from __future__ import annotations

from pathlib import Path

import torch

from engine.captioners.parity import LOADERS, checks
from tests.golden.cases import find_cases
from tests.gpu.machine import Machine, parse_machine, report

FOLDER = Path(__file__).parents[1] / "golden"


def main(machine: Machine) -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    for case in find_cases(FOLDER):
        if case.layout is not None:  # other layouts of the same weights
            continue
        model, _ = LOADERS[case.family](case.folder, torch.float32)
        for check in checks(case.family, model.to(machine.device), case.folder):
            name = f"{case.id} {check.name}, at most {check.limit:g}"
            report(name, check.worst, "largest difference", check.good)


if __name__ == "__main__":
    main(parse_machine())
