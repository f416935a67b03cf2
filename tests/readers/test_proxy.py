"""open_clip trains on a proxy, clip_benchmark tests it, by the command lines that it holds."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections import Counter
from pathlib import Path

from engine.operations.demo_project import MODELS, make_demo
from engine.operations.proxy.tars import tar_names
from tests.readers.conftest import ROOT, Call
from tests.readers.hostile_project import HostileProject, is_utf8, one_line
from tests.support.cli import cli_ok
from tests.support.numbered_project import make_numbered_project

IMAGES = 24
SAMPLES = 3000
"""Samples of the epoch that is looked at: some 40 of each image and caption, so that none of them
is missing but with a probability of 1e-16."""
PROGRAMS = {
    "open_clip_train.main": "tests.readers.programs.open_clip_trainer",
    "clip_benchmark": "tests.readers.programs.clip_benchmark_cli",
}
"""The programs that command lines name, and the same with a tiny model."""


def run_line(line: str, python: Path, env: dict[str, str]) -> str:
    """Run a command line of a proxy in the readers' environment, and return what it printed."""
    words = shlex.split(line)
    if words[:2] == ["python", "-m"]:
        words = words[2:]
    done = subprocess.run(
        [python, "-m", PROGRAMS[words[0]], *words[1:]],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_the_demo_is_trained_and_tested(
    readers_python: Path, readers_env: dict[str, str], tmp_path: Path
) -> None:
    project = make_demo(tmp_path / "demo", 48)
    cli_ok("run", project.folder)
    out = tmp_path / "a proxy"
    tiny = ("--", "--workers", "1", "--precision", "fp32", "--device", "cpu")
    arms = ("--arms", "original,joint")
    size = ("--images", IMAGES, "--test-images", 10, "--seeds", 1)
    training = ("--clip", "tiny", "--epochs", 1, "--batch-size", 8)
    cli_ok("proxy", project.folder, out, *arms, *size, *training, *tiny)
    for line in (out / "train.sh").read_text().splitlines():
        log = run_line(line, readers_python, readers_env)
        # Each arm has as many samples, whatever the number of its captions.
        assert set(re.findall(r"Train Epoch: 0 \[\s*\d+/(\d+)", log)) == {str(IMAGES)}
    for line in (out / "evaluate.sh").read_text().splitlines():
        run_line(line, readers_python, readers_env)
    table = json.loads(cli_ok("proxy-table", out, "--json"))
    assert not table["missing"]
    assert Counter(each["arm"] for each in table["results"]) == {
        arm: 1 + len(MODELS) for arm in ("original", "joint")
    }
    for each in table["results"]:
        (seed,) = each["image_to_text"]["seeds"]
        assert 0 <= seed <= 1 and round(10 * seed) / 10 == round(seed, 6)  # of ten images


def test_an_epoch_draws_all_captions_of_an_image_alike(call: Call, tmp_path: Path) -> None:
    project = make_numbered_project(tmp_path, 40)
    out = tmp_path / "out"
    cli_ok("proxy", project.folder, out, "--images", IMAGES, "--test-images", 10)
    joint = next(line for line in (out / "train.sh").open() if "--name joint-0" in line)
    words = shlex.split(joint)
    tars = words[words.index("--train-data") + 1]
    found = call(
        "open_clip_reader", "tar_pairs", tars=tars, train=True, samples=SAMPLES, resampled=True
    )
    drawn = Counter((number, text) for number, text in found["pairs"])
    assert found["num_samples"] == drawn.total() == SAMPLES
    assert len(drawn) == 3 * IMAGES
    assert all(text.endswith(f" {number}") for number, text in drawn)
    assert {text.split()[0] for _, text in drawn} == {"original", "one", "two"}


def test_open_clip_gets_hostile_captions_as_they_are(
    call: Call, hostile: HostileProject, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli_ok("proxy", hostile.project.folder, out, "--arms", "joint", "--test-images", 5)
    sizes = json.loads((out / "train/joint/sizes.json").read_text())
    tars = tar_names(out / "train/joint", len(sizes))
    found = call("open_clip_reader", "tar_pairs", tars=tars, train=False)
    assert not found["warnings"]
    pairs = sorted(map(tuple, found["pairs"]))
    trained = {number for number, _ in pairs}
    expected = hostile.pairs(keep=is_utf8, any_path=True)
    complete = Counter(number for number, _ in expected)
    assert trained <= {number for number, captions in complete.items() if captions == 3}
    assert len(trained) == list(complete.values()).count(3) - 5
    assert pairs == [pair for pair in expected if pair[0] in trained]
    for name in ("original", "one", "two"):
        tested = call(
            "open_clip_reader", "tar_pairs", tars=f"{out}/test/{name}/test/0.tar", train=False
        )["pairs"]
        assert len(tested) == 5 and not trained & {number for number, _ in tested}
        assert all(one_line(text).strip() == text for _, text in tested)
