"""Every block of commands and of Python in README and docs does what its page says, or is marked.

A block is run in a folder with the files that the pages name. One that a test cannot run is marked
on the line before it: `<!-- not run by a test: WHY -->`.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.demo import checkpoint, scenes
from tests.bench.tiny_qwen import write_tiny_qwen
from tests.support.checkpoint_fixtures import one_thread  # noqa: F401 (pytest finds it by name)
from tests.support.cli import cli, cli_ok

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
BLOCK = re.compile(r"(?:<!-- not run by a test: ([^\n]+) -->\n\n)?```(\w*)\n(.*?)```", re.DOTALL)
COMMAND = re.compile(
    r"^(?:mllmaug-tui|pip|python3?|make|hf|sh|energon|img2dataset|ray|srun) ", re.M
)
OUTSIDE = re.compile(r"(?<![\w./-])/(data|models|mnt|var)/")
"""Absolute paths in the blocks, which stand in the test's folder instead."""
IMAGES = 8
CHECKPOINTS = {
    "llava-1.5": "llava-1.5",
    "llava-1.5-7b-hf": "llava-1.5",
    "minigpt-4": "minigpt-4",
    "otter": "otter",
    "qwen-vl": "qwen-vl",
    "clip": "score",
    "siglip": "score",
}
"""The demonstration's checkpoints, by the names of the folders in the pages."""


@dataclass(frozen=True)
class Block:
    """A block of code of a page."""

    page: str
    number: int
    language: str
    text: str
    why_not: str | None
    """Why no test runs it; None if one does."""

    def commands(self, folder: Path) -> Iterator[list[str]]:
        """Split the block into words, as a shell would; absolute paths lie in the folder."""
        text = OUTSIDE.sub(rf"{folder}/\1/", self.text.replace("\\\n", " "))
        return filter(None, (shlex.split(line, comments=True) for line in text.splitlines()))


def blocks_of(page: Path) -> list[Block]:
    return [
        Block(page.stem, number, language, text, why_not or None)
        for number, (why_not, language, text) in enumerate(BLOCK.findall(page.read_text()), 1)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
RUN = [block for block in BLOCKS if not block.why_not]
README = next(block for block in RUN if (block.page, block.language) == ("README", "sh"))


def named(blocks: list[Block]) -> list[object]:
    return [pytest.param(block, id=f"{block.page}-{block.number}") for block in blocks]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages name, and `my-run`, made by README's own commands."""
    folder = tmp_path_factory.mktemp("pages")
    scenes.write_scenes(folder / "data/cc3m", IMAGES, 1)
    records = json.loads((folder / "data/cc3m/captions.json").read_text())
    (folder / "images").symlink_to("data/cc3m/images")
    write_json(folder / "captions.json", records)
    for part in (0, 1):
        write_json(folder / f"part_{part}.json", records[part::2])
    write_json(folder / "otter_local.json", records)
    for name in ("minigpt4", "otter", "llava", "qwen"):
        theirs = f"{folder}/mnt/theirs/cc3m"
        rows = [{"image": f"{theirs}/{it['image']}", "caption": name} for it in records]
        write_json(folder / f"{name}.json", rows)
    (folder / "models").mkdir()
    for name, demo in CHECKPOINTS.items():
        (folder / f"models/{name}").symlink_to(checkpoint(demo))
    write_tiny_qwen(folder / "models/qwen2.5-vl")
    (folder / "var/lib/node_exporter").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("OMP_NUM_THREADS", "1")  # other tests need the cores
        run_commands(README, folder)
    return folder


def write_json(path: Path, records: list[dict[str, str]]) -> None:
    path.write_text(json.dumps(records))


def run_commands(block: Block, folder: Path) -> None:
    """Run each command of a block, which must succeed."""
    commands = list(block.commands(folder))
    assert commands
    for program, *arguments in commands:
        assert program == "mllmaug-tui", "mark the block, or split it"
        if arguments[0] == "new":
            shutil.rmtree(folder / arguments[1], ignore_errors=True)
        result = cli(*arguments)
        if arguments == ["my-run"]:  # the application
            assert (result.returncode, "terminal" in result.stderr) == (2, True)
        else:
            assert result.returncode == 0, f"{arguments}: {result}"


@pytest.fixture
def work(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The prepared folder as the working directory; what a test makes there is taken away."""
    monkeypatch.chdir(prepared)
    before = set(prepared.iterdir())
    shutil.copytree("my-run", tmp_path / "my-run")
    yield prepared
    shutil.rmtree("my-run")
    shutil.move(tmp_path / "my-run", "my-run")
    for path in set(prepared.iterdir()) - before:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("block", named([it for it in RUN if it.language == "sh"]))
def test_commands_of_a_page_do_what_they_say(block: Block, work: Path) -> None:
    if block is not README:  # whose commands made what the others find
        run_commands(block, work)


@pytest.mark.parametrize("block", named([it for it in RUN if it.language == "python"]))
def test_python_of_a_page_runs(block: Block, work: Path) -> None:
    names: dict[str, object] = {}
    exec(compile(block.text, block.page, "exec"), names)
    data = names["data"]
    image, _, caption = data[0]  # type: ignore[index]
    assert Path(image).is_file() and caption


@pytest.mark.parametrize("block", named([it for it in RUN if it.language == "toml"]))
def test_configuration_of_a_page_is_read(block: Block, work: Path, tmp_path: Path) -> None:
    assert tomllib.loads(block.text)
    config = tmp_path / "config/mllmaug-tui"
    config.mkdir(parents=True)
    (config / "config.toml").write_text(block.text)
    cli_ok("status", "my-run")


def test_every_block_with_a_command_is_run_or_marked() -> None:
    languages = {"sh", "bash"}
    hidden = [it for it in RUN if it.language not in languages and COMMAND.search(it.text)]
    assert [f"{it.page}-{it.number}" for it in hidden] == []
    assert [f"{it.page}-{it.number}" for it in RUN if it.language == "bash"] == []
    assert len(RUN) > 10


def test_a_planted_mistake_is_found(work: Path) -> None:
    block = Block("planted", 1, "sh", "mllmaug-tui status my-run --jason  # a comment\n", None)
    with pytest.raises(AssertionError, match="jason"):
        run_commands(block, work)
