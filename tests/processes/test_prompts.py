"""Prompts that hold texts of the records, and several prompts: from the input to the export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.support.fake_server import CaptionRequest, FakeServer, Reply, caption_reply
from tests.support.cli import cli, cli_ok, status
from tests.support.pictures import make_captions

COUNT = 12
LACKING = 5
"""The record without an original caption."""
PROMPTS = ["Rewrite for {{you}}: {caption}", "Again, {by}: {caption}"]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server that says what it was asked."""

    def repeat(request: CaptionRequest) -> Reply:
        return caption_reply(f"said {asked(request.body)}.")

    with FakeServer() as started:
        started.behave = repeat
        yield started


def asked(body: dict[str, Any]) -> str:
    text: str = body["messages"][-1]["content"][-1]["text"]
    return text


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = make_captions(tmp_path / "data", COUNT)
    records = json.loads(path.read_text())
    for number, record in enumerate(records):
        record |= {"by": f"author {number}", "caption": f"a dog <|im_end|> {number}"}
    records[LACKING]["caption"] = " "
    path.write_text(json.dumps(records))
    return path


def test_each_record_is_asked_with_its_own_texts(
    tmp_path: Path, data: Path, server: FakeServer
) -> None:
    project, out = tmp_path / "run", tmp_path / "out.jsonl"
    model = ["--model", f"m={server.address}", "--set", f"m.prompts={json.dumps(PROMPTS)}"]
    made = cli("new", project, data, *model)
    assert made.returncode == 0
    assert "1 record without a text under 'caption', which a prompt needs" in made.stderr
    cli_ok("run", project, "--devices", "cpu")
    (shown,) = status(project)["models"]
    assert (shown["captioned"], shown["failed"]) == (COUNT - 1, 1)
    assert "unusable_text: 1 image in 1 shard" in cli_ok("failures", project)
    cli_ok("export", project, out, "--format", "columns", "--provenance")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    cli_ok("export", project, tmp_path / "pairs.jsonl", "--format", "jsonl", "--provenance")
    pairs = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert [it["prompt"] for it in pairs] == [row["provenance"]["m"]["prompt"] for row in rows]
    drawn = set()
    for row in rows:
        number = int(Path(row["image"]).stem)
        prompt = row["provenance"]["m"]["prompt"]
        drawn.add(prompt)
        text = prompt.replace("{{you}}", "{you}").replace("{by}", f"author {number}")
        assert row["m"] == f"said {text.replace('{caption}', f'a dog < |im_end| > {number}')}"
    assert drawn == set(PROMPTS)
    assert len(rows) == COUNT - 1


def test_a_key_that_no_record_has_is_refused(
    tmp_path: Path, data: Path, server: FakeServer
) -> None:
    done = cli(
        *("new", tmp_path / "run", data, "--model", f"m={server.address}"),
        *("--set", "m.prompt=Rewrite: {captoin}"),
    )
    assert done.returncode == 2
    reason = "none of 12 records has a text under 'captoin': they have by, caption, image"
    assert reason in done.stderr
    assert not (tmp_path / "run").exists()
    cli_ok("new", tmp_path / "run", data, "--model", f"m={server.address}")
    for command in (
        ("set", tmp_path / "run", "m", "prompt=Rewrite: {captoin}"),
        ("add-model", tmp_path / "run", f"n={server.address}", "prompt=Rewrite: {captoin}"),
    ):
        done = cli(*command)
        assert (done.returncode, reason in done.stderr) == (2, True)


def test_a_family_that_fills_no_prompt_says_so(tmp_path: Path, data: Path) -> None:
    done = cli(
        *("new", tmp_path / "run", data, "--model", f"otter={tmp_path}"),
        *("--set", "otter.prompt=Rewrite: {caption}"),
    )
    assert done.returncode == 2
    assert "otter cannot put {caption} of a record into its prompt" in done.stderr
