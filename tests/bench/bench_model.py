"""The model that `engine` measures, and how its figures are told."""

from __future__ import annotations

from typing import Any, NamedTuple

from engine.captioners.registry import FAMILIES, Settings
from tests.bench.report import report


class CaptioningRate(NamedTuple):
    """How fast something is done with images."""

    images: float
    """Images a second."""
    cpu: float | None
    """CPU seconds an image; None if they say nothing."""


class GenerateRun(NamedTuple):
    """A run of transformers' own processor and `generate`."""

    rate: CaptioningRate
    texts: list[str]


class BenchModel(NamedTuple):
    """The model that is measured, and its device."""

    family: str
    name: str
    """The checkpoint's name, as the command line has it."""
    checkpoint: str
    """A folder, or `random-7b`: random weights of the official size."""
    settings: Settings
    device: str

    def load(self) -> Any:
        """Return the captioner."""
        if self.checkpoint == "random-7b":
            from tests.bench.random_models import load

            return load(self.family, self.settings, self.device)
        return FAMILIES[self.family].load(self.checkpoint, self.settings, self.device)

    def report(
        self,
        name: str,
        value: float,
        unit: str = "images/s",
        baseline: float | None = None,
    ) -> None:
        """Report a value; model, batch size and unusual options have fields of their own."""
        settings = self.settings
        options = [
            ("batch grows", settings.auto_batch),
            ("fast decode", settings.fast_decode),
            ("no graphs", not settings.graphs),
            ("overlap", settings.overlap),
            (settings.quantize, settings.quantize != "none"),
        ]
        report(
            "engine",
            name,
            value,
            unit,
            baseline,
            model=f"{self.family} {self.name}",
            batch=settings.batch,
            options=", ".join(option for option, chosen in options if chosen),
        )
