"""The machine that a part runs on, and the lines that a part prints."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """The device of a run: a CUDA GPU, or a CPU that imitates one."""

    imitates: bool

    @property
    def device(self) -> str:
        """The device as torch names it."""
        return "cpu" if self.imitates else "cuda"

    @property
    def spec(self) -> str:
        """The device as `run --devices` names it."""
        return "cpu" if self.imitates else "0"


def parse_machine(arguments: list[str] | None = None) -> Machine:
    """Return the machine that a part's command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--imitate", action="store_true", help="small models on a CPU")
    return Machine(parser.parse_args(arguments).imitate)


def report(case: str, value: float | str, unit: str = "", good: bool | None = None) -> None:
    """Print one result. `good` is None for a figure that is only told, and not judged."""
    line = {"case": case, "value": value, "unit": unit, "good": good}
    print(json.dumps(line), flush=True)
