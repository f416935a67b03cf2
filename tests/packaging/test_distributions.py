"""The wheel and the sdist: what is in them, and that the wheel alone is enough."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

import mllmaug_tui

ROOT = Path(mllmaug_tui.__file__).parents[1]
PACKAGES = ("db", "engine", "mllmaug_tui", "tui")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION = PROJECT["version"]
NOT_PACKED = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "tests", "__pycache__")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a wheel and an sdist, made as `make dist` makes them."""
    folder = tmp_path_factory.mktemp("packaging")
    # Of a copy: setuptools leaves a list of files in the folder that it packs.
    source = shutil.copytree(ROOT, folder / "source", ignore=NOT_PACKED)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist")]
    done = subprocess.run([*build, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


def test_the_wheel_has_all_files_of_the_packages_and_nothing_else(dist: Path) -> None:
    wheel = next(dist.glob("*.whl"))
    assert wheel.name == f"mllmaug_tui-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert names == wanted


def test_the_sdist_has_what_the_wheel_is_made_of_and_the_documents(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff"} <= names
    assert {"docs/formats.md", "containers/Dockerfile", "constraints.txt"} <= names
    assert not any(name.startswith("tests/") for name in names)


def test_there_is_one_version() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest and newest[1] == VERSION


def test_the_citation_is_of_this_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    # https://github.com/citation-file-format/citation-file-format/blob/main/schema-guide.md
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert (citation["version"], citation["license"]) == (VERSION, PROJECT["license"])


def test_every_extra_is_explained() -> None:
    page = (ROOT / "docs/install.md").read_text()
    for_people = PROJECT["optional-dependencies"].keys() - {"test"}
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == for_people


@pytest.mark.slow
def test_the_wheel_alone_runs_the_demo_and_doctor(dist: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    wheel = next(dist.glob("*.whl"))
    install = [str(tmp_path / "venv/bin/python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "-c", ROOT / "constraints.txt", wheel], check=True)
    (tmp_path / "empty").mkdir()
    for arguments in (["demo", "--images", "4", "--devices", "cpu"], ["doctor", "demo"]):
        done = subprocess.run(
            [tmp_path / "venv/bin/mllmaug-tui", *arguments],
            cwd=tmp_path / "empty",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "empty/demo/merged.json").is_file()
