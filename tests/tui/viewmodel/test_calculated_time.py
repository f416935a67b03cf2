"""What the wizard says of the time that a run takes, and the command `estimate`."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.hardware.devices import cpu_devices
from engine.operations import estimate as operation
from tests.engine.operations.test_estimate import CHOICE, SIZE
from tests.support.cli import cli, cli_ok
from tests.support.pictures import make_captions
from tui.viewmodel.calculated_time import calculated_time

DEMO = Path("engine/demo/checkpoints/llava-1.5").absolute()


@pytest.fixture(autouse=True)
def sized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "measure_size", lambda *_: SIZE)


def test_the_wizard_says_the_calculated_time() -> None:
    draft: Any = SimpleNamespace(
        preview=SimpleNamespace(records=(), total=100_000),
        detected_devices=cpu_devices(1),
        choices=lambda: [CHOICE],
    )
    said = "about 1h38m, up to 17.2 GiB of memory, calculated; the pilot measures it"
    assert calculated_time(draft) == said
    draft.detected_devices = ()
    assert calculated_time(draft) is None


def test_estimate_of_named_models() -> None:
    model = ("--model", f"llava-1.5={DEMO}", "--images", 1000)
    said = cli_ok("estimate", *model, "--devices", "cpu", "--price", 3.6)
    assert "17.0 images/s on a device, 58s" in said
    assert "calculated; some layers were timed on this machine" in said
    assert "in all about 58s, 0.06 at this price; the captions take" in said
    found = json.loads(cli_ok("estimate", *model, "--gpu", "h100", "--gpus", 8, "--json"))
    assert (found["devices"], found["device"]) == (8, "h100")
    assert found["models"][0]["basis"] == "roofline"


def test_estimate_of_a_project(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 5)
    model = f"one=llava-1.5:{DEMO}"
    cli_ok("new", tmp_path / "run", captions, "--model", model, "--model", "dry-run")
    said = cli_ok("--readonly", "estimate", tmp_path / "run", "--devices", "cpu")
    assert "5 images on 1 x CPU" in said
    assert "dry-run: not known, only a pilot tells" in said
    assert "in all about 0s without dry-run" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a project, or --model with --images"),
        (("--model", "dry-run"), "number of images with --images N"),
        (("--model", "dry-run", "--images", 5, "--gpu", "abacus"), "known are t4"),
        (("--model", "dry-run", "--images", 5, "--sample", "."), "there are no images"),
    ],
)
def test_what_estimate_refuses(arguments: tuple[object, ...], message: str) -> None:
    refused = cli("estimate", *arguments)
    assert refused.returncode == 2
    assert message in refused.stderr
