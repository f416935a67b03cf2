"""Records that have a caption are asked about again, with other settings than the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.project import caption_log
from engine.protocol.caption_row import (
    ASKED_AGAIN,
    NOT_BETTER,
    AskedAgainRow,
    CaptionRow,
    ErrorRow,
    RetriedRow,
    Row,
    row_fields,
)
from engine.protocol.messages import Records
from engine.quality.alarms import Figures, HealthRecord
from engine.supervisor.asked_again import judge
from engine.utils import jsonlines
from tests.support.run_in_memory import RunInMemory

GOOD = "A dog runs along the beach"
LOOP = "standing standing standing standing sleeping standing"


def row(raw: str = GOOD, i: int = 0) -> CaptionRow:
    return CaptionRow(i, raw, 5, "stop")


def again(
    i: int,
    changes: dict[str, str],
    bad: Sequence[str] = ("loops",),
    had: Sequence[str] = ("loops",),
) -> AskedAgainRow:
    return AskedAgainRow(i, ASKED_AGAIN, "loops", tuple(bad), tuple(had), changes)


@pytest.mark.parametrize(
    ("bad", "had", "found", "better"),
    [
        (("loops",), ("loops",), (), True),
        (("loops",), ("loops",), ("loops",), False),
        (("loops",), ("loops",), ("refusals",), False),
        (("loops",), ("loops", "truncated"), ("truncated",), True),
        (("loops", "truncated"), ("loops", "truncated"), ("truncated",), False),
    ],
)
def test_a_caption_is_better_that_lost_the_defect_and_got_no_other(
    bad: Collection[str], had: Collection[str], found: Collection[str], better: bool
) -> None:
    asked = again(0, {"seed": "7"}, tuple(bad), tuple(had))
    judged = judge(row(), asked, found)
    if better:
        assert judged == RetriedRow(0, GOOD, 5, "stop", {"seed": "7"})
    else:
        assert judged == ErrorRow(0, NOT_BETTER, f"{found[0]}: {GOOD}")  # type: ignore[index]


@pytest.fixture
def run(tmp_path: Path) -> RunInMemory:
    """A model on a server, two of whose four captions are asked again in two ways; one is missing.

    One more was asked again by settings that no version knows.
    """
    run = RunInMemory(tmp_path / "run", records=6, family="endpoint", models=("served",))
    log = run.project.caption_log_file(run.model, 0)
    log.parent.mkdir(parents=True)
    rows: list[Row] = [row(LOOP, i) for i in range(5)]
    asked = [
        again(1, {"prompt": "What is this?"}),
        again(3, {"prompt": "Say {caption}."}),
        again(4, {"prompt": "What is this?"}),
        again(0, {"colour": "red"}),
    ]
    log.write_bytes(b"".join(jsonlines.dumps(row_fields(it)) + b"\n" for it in [*rows, *asked]))
    return run


def prompt_of(message: Records) -> Any:
    return None if message.settings is None else message.settings["prompt"]


def test_each_way_of_asking_has_messages_of_its_own(run: RunInMemory) -> None:
    """None is sent while the worker has others, which would share a batch."""
    run.change_model(health=HealthRecord(Figures(10, {"loops": 10})).text)
    worker = run.captioning()
    seen: list[Any] = []
    while worker.attempt is not None:
        sent = run.sent(worker, Records)
        message = sent[-1]
        assert len(sent) == len(seen) + 1, "the worker has only this"
        seen.append((prompt_of(message), [i for i, _ in message.records], dict(message.texts)))
        assert message.last
        run.rows(worker, *(row(GOOD, i) for i, _ in message.records))
    assert seen == [
        (None, [5], {}),
        ("What is this?", [1, 4], {}),
        ("Say {caption}.", [3], {3: {"caption": "original 3"}}),
        (None, [0], {}),
    ]
    assert run.task.state == "done"
    contents = caption_log.read(run.project.caption_log_file(run.model, 0), 6)
    raw = [contents.captions[i].raw for i in range(6)]
    assert raw == [GOOD, GOOD, LOOP, GOOD, GOOD, GOOD]
    assert "asked again: 4 captions replaced, 0 kept as they were" in " ".join(run.events)
    figures = HealthRecord.of(run.model.health).figures
    assert figures == Figures(6, {"loops": 6}), "four of ten loops are gone"


def test_a_caption_that_is_no_better_is_kept_out(run: RunInMemory) -> None:
    worker = run.captioning()
    run.rows(worker, row(GOOD, 5))
    run.rows(worker, row(LOOP, 1), row("I'm sorry, but I cannot see the image.", 4))
    run.rows(worker, ErrorRow(3, "missing", "gone"))
    run.rows(worker, row(GOOD, 0))
    assert run.task.state == "done"
    assert (run.task.captioned, run.task.failed) == (6, 0)
    contents = caption_log.read(run.project.caption_log_file(run.model, 0), 6)
    assert [contents.captions[i].raw for i in (1, 3, 4)] == [LOOP] * 3
    assert "1 caption replaced, 2 kept as they were" in " ".join(run.events)


def test_a_worker_that_dies_gets_suspects_alone_with_their_own_settings(run: RunInMemory) -> None:
    run.prove()
    worker = run.captioning()
    run.rows(worker, row(GOOD, 5))
    run.decoding(worker, 1)
    run.exit(worker)
    run.commit()
    worker = run.captioning()
    message = run.sent(worker, Records)[-1]
    assert (message.alone, [i for i, _ in message.records]) == (True, [1])
    assert prompt_of(message) == "What is this?"
    run.rows(worker, row(GOOD, 1))
    assert run.outstanding(worker) == [3]


@pytest.mark.parametrize("kind", [ASKED_AGAIN, NOT_BETTER])
def test_only_the_supervisor_says_so(run: RunInMemory, kind: str) -> None:
    worker = run.captioning()
    run.rows(worker, ErrorRow(5, kind, ""))
    assert worker.attempt is not None
    assert worker.attempt.log.errors[5].error == "invalid"
