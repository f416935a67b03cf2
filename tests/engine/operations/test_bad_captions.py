"""Finding the captions that have a defect, and asking for them again by the command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import update

from db.connection import writing
from db.tables import SHARD
from engine.operations.bad_captions import TaskCaptions, ask_again, find_bad, parse_names
from engine.project.log_rows import digest
from engine.protocol.caption_row import CaptionRow
from engine.quality.defects import DEFECT_NAMES, Defect
from engine.utils import jsonlines
from engine.utils.errors import BadInput, RequestRefused
from tests.support.cli import cli
from tests.support.small_project import RECORDS, SmallProject, error

LOOP = "standing standing standing standing sleeping standing"
SORRY = "I'm sorry, but I cannot see the image."


def said(i: int, raw: str, finish: str = "stop") -> CaptionRow:
    return CaptionRow(i, raw, 5, finish)


@pytest.fixture
def project(small: SmallProject) -> SmallProject:
    """The small project with shard files; both models have bad captions in the first shard."""
    small.project.shards.mkdir()
    lines = [jsonlines.dumps({"image": f"{i}.jpg", "caption": "two dogs"}) for i in range(RECORDS)]
    data = b"".join(line + b"\n" for line in lines)
    for number in range(3):
        small.project.shard_file(number).write_bytes(data)
    with writing(small.project.database) as connection:
        connection.execute(update(SHARD).values(digest=digest(data)))
    small.state = small.load()
    small.write_log(1, [said(0, LOOP), said(1, "A dog"), said(2, "A cat"), error(3)])
    small.write_log(4, [said(0, LOOP, "length"), said(1, SORRY), said(2, "A dog."), said(3, "A")])
    small.write_log(5, [said(0, "A dog runs."), said(2, LOOP)])
    small.take_over_logs()
    return small


CUT_LOOP = Defect.LOOP | Defect.TRUNCATED


@pytest.mark.parametrize(
    ("bad", "names", "shards", "found"),
    [
        (
            ["loops"],
            [],
            [],
            [(1, [(0, Defect.LOOP)]), (4, [(0, CUT_LOOP)]), (5, [(2, Defect.LOOP)])],
        ),
        (["loops"], ["served"], [0], [(4, [(0, CUT_LOOP)])]),
        (["refusals", "truncated"], [], [], [(4, [(0, CUT_LOOP), (1, Defect.REFUSAL), (3, 2)])]),
        (["empty"], [], [], []),
    ],
)
def test_find_bad(
    project: SmallProject,
    bad: Sequence[str],
    names: Sequence[str],
    shards: Sequence[int],
    found: Sequence[TaskCaptions],
) -> None:
    assert find_bad(project.project, bad, names, shards, "en").tasks == found


def test_they_are_asked_for_again(project: SmallProject) -> None:
    changes = {"prompt": "What is this?"}
    with pytest.raises(RequestRefused, match="dry-run: a record cannot be asked again"):
        ask_again(project.project, ["loops"], changes)
    answer = ask_again(project.project, ["loops"], changes, names=["served"])
    assert answer == "2 captions of 1 model are asked again"
    again = ask_again(project.project, ["loops"], changes, names=["served"])
    assert again == "nothing to ask again"
    state = project.load()
    assert [(state.ledger[n].state, state.ledger[n].left) for n in (4, 5)] == [
        ("pending", 1),
        ("pending", 3),
    ]


def test_of_chosen_tasks_alone(project: SmallProject) -> None:
    answer = ask_again(project.project, ["loops"], {"prompt": "What?"}, tasks=[5])
    assert answer == "1 caption of 1 model is asked again"
    assert "no caption has refusals" in ask_again(
        project.project, ["refusals"], {"prompt": "What?"}, tasks=[5]
    )


def test_names() -> None:
    assert parse_names(" loops, refusals,loops") == ["loops", "refusals"]
    assert parse_names(",".join(DEFECT_NAMES)) == list(DEFECT_NAMES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bad", "ugly", "--seed", "1"], "there is no defect 'ugly': name one of loops, empty"),
        (["--bad", "duplicates", "--seed", "1"], "duplicates concern several captions"),
        (["--bad", ",", "--seed", "1"], "name defects: loops"),
        (["--bad", "loops"], "give --seed N, --prompt TEXT or both"),
        (["--bad", "loops", "--cause", "missing"], "neither --cause nor --failed-items"),
        (["--bad", "loops", "--seed", "1", "--shard", "9"], "there is no shard 9"),
        (["--bad", "loops", "--seed", "1", "--model", "x"], "the project has no model 'x'"),
        (["--bad", "loops", "--set", "seed"], "write KEY=VALUE"),
        (["--seed", "1"], "need --bad NAMES"),
        (["--bad", "loops", "--seed", "1", "--model", "original"], "no model 'original'"),
    ],
)
def test_bad_input_ends_the_command_with_code_2(
    project: SmallProject, options: list[str], message: str
) -> None:
    done = cli("retry", project.project.folder, *options)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_the_command(project: SmallProject, tmp_path: Path) -> None:
    options = ["--bad", "loops,refusals", "--set", "temperature=0.7", "--seed", "3"]
    done = cli("retry", project.project.folder, *options, "--model", "served")
    assert "3 captions of 1 model are asked again" in done.stdout
    again = cli("retry", project.project.folder, *options, "--model", "served")
    assert "nothing to ask again" in again.stdout
    with pytest.raises(BadInput):
        parse_names("")


def test_defects_that_shearing_cuts_are_named_where_none_is_left(project: SmallProject) -> None:
    project.write_log(6, [said(0, "A dog runs.<|im_end|>"), said(1, "A cat sits.<|im_end|>")])
    project.take_over_logs()
    answer = ask_again(project.project, ["leaks"], {"prompt": "What?"}, names=["served"])
    assert answer == (
        "no caption has leaks after shearing (2 captions have what shearing cuts): nothing to ask"
        " again"
    )
    answer = ask_again(project.project, ["leaks"], {"prompt": "What?"}, tasks=[4])
    assert answer == "no caption has leaks: nothing to ask again"


@pytest.mark.parametrize("changes", [{}, {"prompt": "What?"}])
def test_imported_captions_are_no_captions_to_ask_for(
    project: SmallProject, changes: dict[str, str]
) -> None:
    project.change_models({1: {"family": "imported"}})
    project.save()
    with pytest.raises(BadInput, match="dry-run: imported captions cannot be asked for again"):
        ask_again(project.project, ["loops"], changes, names=["dry-run"])
    project.change_models({2: {"family": "imported"}})
    project.save()
    with pytest.raises(BadInput, match="dry-run, served: imported captions cannot be asked"):
        ask_again(project.project, ["leaks"], changes)
