"""Failures by cause: what is retried and excluded, in one request or in many."""

from __future__ import annotations

import pytest
from PIL import Image

from engine.operations import failure_causes, retry_check, run_control
from engine.operations.failure_causes import exclude_records
from engine.project.layout import Project
from engine.requests.answers import Answer
from engine.requests.kinds import Request
from engine.utils.errors import BadInput, RequestRefused
from tests.support.run_in_memory import ManualClock
from tests.support.small_project import SmallProject, caption, error

EVERY = [(task_id, None) for task_id in range(1, 7)]


@pytest.fixture
def books(small: SmallProject) -> SmallProject:
    """Four tasks with three captions and a failed record each, one that failed, one pending."""
    for task_id in (1, 2, 4, 5):
        kind = "corrupt" if task_id == 5 else "missing"
        small.write_log(task_id, [caption(0), caption(1), caption(2), error(3, kind)])
    small.change_tasks({6: {"state": "failed", "error": "it crashed"}})
    small.take_over_logs()
    return small


def causes(project: Project) -> dict[tuple[str, str], int]:
    return {(it.scope, it.kind): it.count for it in failure_causes.read_causes(project)}


def test_a_cause_is_excluded_and_taken_back_in(books: SmallProject) -> None:
    missing = failure_causes.find_cause(books.project, "missing")
    text = failure_causes.exclude_cause(books.project, missing)
    assert text == "excluded: 3 records of 3 shards"
    assert causes(books.project) == {
        ("shard", "it crashed"): 1,
        ("record", "excluded"): 3,
        ("record", "corrupt"): 1,
    }
    with pytest.raises(BadInput, match=r"cause 'missing': the causes are 'it crashed', "):
        failure_causes.find_cause(books.project, "missing")
    excluded = failure_causes.find_cause(books.project, "excluded")
    assert failure_causes.retry_cause(books.project, excluded) == (
        "retry of the failed records of 3 tasks"
    ), "what is excluded is taken back in first"
    tasks = books.load().ledger.tasks
    assert [tasks[n].left for n in (1, 2, 4, 5)] == [1, 1, 1, 0]


def test_a_cause_of_whole_shards(books: SmallProject) -> None:
    crashed = failure_causes.find_cause(books.project, "it crashed")
    with pytest.raises(BadInput, match="'skip' leaves out a shard"):
        failure_causes.exclude_cause(books.project, crashed)
    assert failure_causes.retry_cause(books.project, crashed) == "retry of 1 task"
    assert books.load().ledger[6].state == "pending"


def test_many_requests_are_answered_for_as_one(
    books: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure_causes, "TASKS_PER_REQUEST", 2)
    assert exclude_records(books.project, EVERY) == "excluded: 4 records of 4 shards"
    with pytest.raises(BadInput, match=r"^nothing to exclude$"):
        exclude_records(books.project, EVERY)


def test_what_was_done_before_something_went_wrong_is_part_of_the_message(
    books: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Request] = []
    send_request = run_control.send_request

    def send_two(project: Project, request: Request) -> Answer:
        sent.append(request)
        if len(sent) > 2:
            raise RequestRefused("no answer")
        return send_request(project, request)

    monkeypatch.setattr(failure_causes, "TASKS_PER_REQUEST", 1)
    monkeypatch.setattr(run_control, "send_request", send_two)
    with pytest.raises(RequestRefused, match=r"^excluded: 2 records of 2 shards; no answer$"):
        exclude_records(books.project, EVERY)
    assert len(sent) == 3


def test_trouble_with_a_file_ends_it(books: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure_causes, "TASKS_PER_REQUEST", 1)
    log = books.log(2)
    log.unlink()
    log.mkdir()  # nothing can be read from a folder
    trouble = "the captions of shard 00001 cannot be changed: .*Is a directory"
    with pytest.raises(RequestRefused, match=rf"^excluded: 1 record of 1 shard; {trouble}"):
        exclude_records(books.project, EVERY)
    assert causes(books.project)["record", "missing"] == 2


@pytest.mark.parametrize("kind", ["poison", None])
def test_only_failed_records_can_be_excluded(books: SmallProject, kind: str | None) -> None:
    before = causes(books.project)
    with pytest.raises(BadInput, match="nothing to exclude"):
        exclude_records(books.project, [(1, [0, 1]), (2, [] if kind is None else None)], kind)
    assert causes(books.project) == before


def test_records_are_those_of_the_named_models(books: SmallProject) -> None:
    select = failure_causes.select_records
    assert select(books.project, 1, [3], ["served"]) == [(5, [3])]
    assert select(books.project, 1, [3], []) == [(2, [3]), (5, [3])]
    with pytest.raises(BadInput, match="there is no shard 9"):
        select(books.project, 9, [3], [])
    with pytest.raises(BadInput, match="there is no record 1:4: shard 1 has 0 to 3"):
        select(books.project, 1, [3, 4], [])


@pytest.mark.parametrize(
    ("images", "reply"),
    [
        ({"good": [3]}, "retry of the failed records of 1 task; 1 task left as they are:"),
        ({"good": [3], "bad": [7]}, "retry of the failed records of 1 task; 1 task left as they"),
        ({"good": [3, 7]}, "retry of the failed records of 2 tasks"),
    ],
)
def test_the_images_are_decoded_before_a_retry(
    books: SmallProject, images: dict[str, list[int]], reply: str
) -> None:
    write_shards(books)
    with pytest.raises(
        RequestRefused, match=r"2 images that failed still .* \(2 missing\), so that"
    ):
        failure_causes.retry_failed_records(books.project, [1, 2])
    assert {books.load().ledger[n].state for n in (1, 2)} == {"done"}
    for number in images["good"]:
        Image.new("RGB", (8, 8)).save(books.project.folder / "images" / f"{number}.png")
    for number in images.get("bad", []):
        (books.project.folder / "images" / f"{number}.png").write_bytes(b"no picture")
    assert failure_causes.retry_failed_records(books.project, [1, 2]).startswith(reply)
    states = [books.load().ledger[n].state for n in (1, 2)]
    assert states == ["pending", "pending" if 7 in images["good"] else "done"]


def test_what_failed_for_another_reason_than_its_image_is_retried(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shards(small)
    small.write_log(1, [caption(0), caption(1), error(2), error(3, "no_caption")])
    small.write_log(2, [caption(0), caption(1), caption(2), error(3)])
    small.take_over_logs()
    check = retry_check.check_retry(small.project, [1, 2, 3], ManualClock())
    assert (check.worth, check.hopeless) == ([1, 3], [2])
    monkeypatch.setattr(retry_check, "CHECK_SECONDS", -1.0)
    assert retry_check.check_retry(small.project, [1, 2], ManualClock()).worth == [1, 2]


def write_shards(books: SmallProject) -> None:
    """Write the shard files: record n of the project has the image n.png, which is not there."""
    for shard in range(3):
        lines = (f'{{"image": "{4 * shard + i}.png", "caption": ""}}\n' for i in range(4))
        file = books.project.shard_file(shard)
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(lines))
