"""The seam of requests: what the database or a caller may hold, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import requests
from db.connection import reading, writing
from db.rows import RequestRow
from engine.captioners.registry import choose
from engine.requests.handlers import OUTLIVING_KINDS, answer_leftovers, answer_request, carry_out
from engine.requests.kinds import (
    MAX_LISTED,
    REQUEST_CLASSES,
    AddModel,
    AskAgain,
    Configure,
    Exclude,
    Exported,
    Flag,
    Pause,
    PilotFigures,
    Pin,
    Prioritise,
    Rate,
    Recheck,
    Request,
    Resume,
    Retry,
    Skip,
    Stop,
    Undo,
    Wake,
    checked,
    parse_request,
    to_payload,
)
from engine.utils.errors import RequestRefused
from tests.support.small_project import FakeSupervisor, SmallProject

CHOICE = choose("dry-run")
CHOICE_FIELDS = {
    "name": "dry-run",
    "family": "dry-run",
    "checkpoint": None,
    "settings": CHOICE.settings,
    "settings_hash": CHOICE.settings_hash,
}

STORED: list[tuple[str, dict[str, Any], Request]] = [
    ("pause", {}, Pause()),
    ("resume", {}, Resume()),
    ("stop", {}, Stop()),
    ("stop", {"after_shard": True}, Stop(after_shard=True)),
    ("retry", {"tasks": [2]}, Retry(tasks=[2])),
    ("retry", {"tasks": [2, 3], "failed_items": True}, Retry(tasks=[2, 3], failed_items=True)),
    ("skip", {"tasks": [1]}, Skip(tasks=[1])),
    ("skip", {"tasks": [1], "skip": False}, Skip(tasks=[1], skip=False)),
    ("priority", {"tasks": [3], "by": -1}, Prioritise(tasks=[3], by=-1)),
    (
        "exclude",
        {"records": [[1, None], [2, [0, 3]]], "failed_as": "missing", "exclude": False},
        Exclude(records=[(1, None), (2, [0, 3])], failed_as="missing", exclude=False),
    ),
    (
        "ask_again",
        {"records": [[1, [[0, 4]]]], "bad": ["loops"], "changes": {"seed": "7"}, "language": "de"},
        AskAgain(records=[(1, [(0, 4)])], bad=["loops"], changes={"seed": "7"}, language="de"),
    ),
    (
        "pilot_figures",
        {"model": "otter", "captions": 64, "counts": {"loops": 3}},
        PilotFigures(model="otter", captions=64, counts={"loops": 3}),
    ),
    (
        "exported",
        {"path": "/out.json", "format": "json", "captions": 3, "images": 2},
        Exported(path="/out.json", format="json", captions=3, images=2),
    ),
    ("recheck", {"tasks": [1, 3]}, Recheck(tasks=[1, 3])),
    (
        "flag",
        {"places": [[0, 1], [2, 3]], "flagged": None},
        Flag(records=[(0, 1), (2, 3)], flagged=None),
    ),
    (
        "rate",
        {"records": [[0, 1]], "model": "otter", "good": True, "settings_hash": "0a1b"},
        Rate(records=[(0, 1)], model="otter", good=True, settings_hash="0a1b"),
    ),
    ("pin", {"device": "cuda:0", "model": "otter"}, Pin(device="cuda:0", model="otter")),
    ("pin", {"device": "cuda:0", "model": None}, Pin(device="cuda:0")),
    ("wake", {"device": "cuda:0"}, Wake(device="cuda:0")),
    (
        "set",
        {"model": "otter", "changes": {"seed": "7"}},
        Configure(model="otter", changes={"seed": "7"}),
    ),
    ("add_model", {"choice": CHOICE_FIELDS}, AddModel(choice=CHOICE)),
    ("undo", {"request": 3}, Undo(request=3)),
]
"""Requests as every version so far has stored them, and what they are in the code."""


@pytest.mark.parametrize(("kind", "payload", "request_"), STORED)
def test_a_stored_request_is_read(kind: str, payload: dict[str, Any], request_: Request) -> None:
    stored = json.loads(json.dumps(payload))
    assert parse_request(kind, stored) == request_
    again = json.loads(json.dumps(to_payload(request_)))
    assert again == again | stored
    assert parse_request(request_.kind, again) == request_


def test_every_kind_is_stored_in_some_way_here() -> None:
    assert {kind for kind, _, _ in STORED} == set(REQUEST_CLASSES)


@pytest.mark.parametrize(
    ("kind", "payload", "named"),
    [
        ("dance", {}, "unknown request 'dance'"),
        ("", {}, "unknown request ''"),
        ("retry", None, "retry"),
        ("retry", [1], "retry"),
        ("retry", {}, "tasks"),
        ("retry", {"tasks": 1}, "tasks"),
        ("retry", {"tasks": "12"}, "tasks"),
        ("retry", {"tasks": [1, "2"]}, r"tasks\[1\]"),
        ("retry", {"tasks": [1.5]}, r"tasks\[0\]"),
        ("retry", {"tasks": [True]}, r"tasks\[0\]"),
        ("retry", {"tasks": [-1]}, r"tasks\[0\]"),
        ("retry", {"tasks": [10**30]}, r"tasks\[0\]"),
        ("retry", {"tasks": [[[[]]]]}, r"tasks\[0\]"),
        ("retry", {"tasks": [1] * (MAX_LISTED + 1)}, "tasks"),
        ("retry", {"tasks": [1], "failed_items": "yes"}, "failed_items"),
        ("retry", {"tasks": [1], "failed_item": True}, "failed_item"),
        ("stop", {"after_shard": 1}, "after_shard"),
        ("priority", {"tasks": [1]}, "by"),
        ("priority", {"tasks": [1], "by": 2**40}, "by"),
        ("priority", {"tasks": [1], "by": None}, "by"),
        ("exclude", {"records": [1]}, r"records\[0\]"),
        ("exclude", {"records": [[1]]}, r"records\[0\]"),
        ("exclude", {"records": [[1, [-5]]]}, r"records\[0\]\[1\]\[0\]"),
        ("exclude", {"records": [[1, None]], "failed_as": 3}, "failed_as"),
        ("flag", {"places": [[0, 1]]}, "flagged"),
        ("flag", {"places": [[0, 1, 2]], "flagged": True}, r"places\[0\]"),
        ("flag", {"places": [[0, -1]], "flagged": True}, r"places\[0\]\[1\]"),
        ("pin", {"device": 0}, "device"),
        ("pin", {"device": "c" * 2_000}, "device"),
        ("wake", {}, "device"),
        ("set", {"model": "otter", "changes": {"seed": 7}}, "changes"),
        ("set", {"model": "otter", "changes": ["seed=7"]}, "changes"),
        ("add_model", {"choice": "otter"}, "choice"),
        ("add_model", {"choice": {"name": "otter"}}, "family"),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_of_the_field(
    kind: str, payload: Any, named: str
) -> None:
    with pytest.raises(RequestRefused, match=named) as refusal:
        parse_request(kind, payload)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    "request_",
    [
        Retry(tasks=["1"]),  # type: ignore[list-item]
        Retry(tasks=[-1]),
        Retry(tasks=[object()]),  # type: ignore[list-item]
        Retry(tasks=[10**5_000]),
        Flag(records=[(0, "x")], flagged=True),  # type: ignore[list-item]
        AddModel(choice={"name": "x"}),  # type: ignore[arg-type]
    ],
)
def test_a_call_is_checked_like_a_row(request_: Request) -> None:
    with pytest.raises(RequestRefused, match=f"invalid request {request_.kind}"):
        checked(request_)


def test_a_checked_call_has_the_types_of_its_class() -> None:
    assert checked(Flag(records=[[0, 1]], flagged=True)) == Flag(records=[(0, 1)], flagged=True)  # type: ignore[list-item]


# Generated requests

NUMBERS = st.integers(-2, 8) | st.integers() | st.sampled_from([2**31, 2**63, 10**400])
TEXTS = st.sampled_from(["dry-run", "served", "cuda:0", "seed", "batch", "missing"]) | st.text(
    st.characters()
)
LEAVES = st.none() | st.booleans() | NUMBERS | st.floats() | TEXTS
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
TASKS = st.lists(st.integers(0, 8), max_size=5)
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=4)
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "tasks": TASKS,
    "by": st.integers(-9, 9),
    "places": PAIRS,
    "flagged": st.none() | st.booleans(),
    "records": st.lists(st.tuples(st.integers(1, 7), st.none() | TASKS), max_size=3),
    "device": st.sampled_from(["cuda:0", "cuda:1", "tpu:0"]),
    "model": TEXTS,
    "changes": st.dictionaries(TEXTS, TEXTS, max_size=2),
    "choice": st.fixed_dictionaries({key: st.just(v) | JSON for key, v in CHOICE_FIELDS.items()}),
}
"""For each field values that often make sense."""


def payloads(kind: str) -> st.SearchStrategy[Any]:
    """Return objects with the fields of this kind, some of them with junk, and any JSON."""
    names = [each.encode_name for each in msgspec.structs.fields(REQUEST_CLASSES[kind])]
    likely = {name: LIKELY.get(name, st.booleans()) for name in names}
    junk = {name: strategy | JSON for name, strategy in likely.items()}
    some = st.fixed_dictionaries({}, optional=junk)
    return st.fixed_dictionaries(likely) | st.fixed_dictionaries(junk) | some | JSON


ROWS = st.sampled_from(sorted(REQUEST_CLASSES)).flatmap(
    lambda kind: st.tuples(st.just(kind), payloads(kind))
) | st.tuples(st.text(), JSON)

same_project = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The examples are carried out on one project, one after the other."""


@same_project
@given(row=ROWS, live=st.booleans())
def test_any_row_gets_an_answer(small: SmallProject, row: tuple[str, Any], live: bool) -> None:
    kind, payload = row
    supervisor = FakeSupervisor(small.state) if live else None
    answer_request(
        small.state, RequestRow(id=1, created=0.0, kind=kind, payload=payload), supervisor
    )
    ((number, state, text, _),) = small.state.answers
    assert (number, state in ("done", "refused"), bool(text)) == (1, True, True)
    small.state.commit()


def make_request(kind: str, values: Any) -> Request | None:
    """Return a request with these values, whatever their types; None if fields are missing."""
    request_class = REQUEST_CLASSES[kind]
    named = {each.encode_name: each.name for each in msgspec.structs.fields(request_class)}
    if not isinstance(values, dict) or not values.keys() <= named.keys():
        return None
    try:
        return request_class(**{named[key]: value for key, value in values.items()})
    except TypeError:
        return None


@same_project
@given(data=st.data(), kind=st.sampled_from(sorted(REQUEST_CLASSES)), live=st.booleans())
def test_any_call_gets_an_answer(
    small: SmallProject, data: st.DataObject, kind: str, live: bool
) -> None:
    request_ = make_request(kind, data.draw(payloads(kind)))
    if request_ is None:
        return
    try:
        request_ = checked(request_)
    except RequestRefused as refusal:
        assert kind in str(refusal)
        return
    answer = carry_out(small.state, request_, FakeSupervisor(small.state) if live else None)
    assert answer.text
    small.state.commit()


RAW_PAYLOADS: list[Any] = [
    "no JSON",
    "",
    '{"tasks": [1',
    '{"tasks": [' + "9" * 5_000 + "]}",
    '{"tasks": [NaN]}',
    "[" * 100_000,
    '{"tasks": ["\\ud800"]}',
    b"\xff\xfe not UTF-8",
    b"\x00\x01",
    7,
    2.5,
]


@pytest.mark.parametrize("payload", RAW_PAYLOADS, ids=range(len(RAW_PAYLOADS)))
@pytest.mark.parametrize("kind", ["retry", "dance", b"\xff\xfe", b"retry"])
def test_a_row_of_the_database_that_is_no_request_is_refused(
    small: SmallProject, kind: Any, payload: Any
) -> None:
    number = insert(small, kind, payload)
    with reading(small.project.database) as connection:
        (row,) = requests.pending(connection)
    answer_request(small.state, row, FakeSupervisor(small.state))
    small.state.commit()
    with reading(small.project.database) as connection:
        answered = requests.get(connection, number)
        assert requests.pending(connection) == ()
    assert answered.state == "refused"
    assert answered.note is not None
    assert answered.note.startswith(("invalid request retry: ", "unknown request "))


def insert(small: SmallProject, kind: Any, payload: Any) -> int:
    """Insert a request as any program might, and return its id."""
    with writing(small.project.database) as connection:
        row = connection.exec_driver_sql(
            "INSERT INTO request (created, kind, payload, state) VALUES (0, ?, ?, 'new')"
            " RETURNING id",
            (kind, payload),
        )
        return int(row.scalar_one())


# Requests that an earlier run did not come to


def test_what_outlives_a_run_is_carried_out_and_the_rest_refused(small: SmallProject) -> None:
    small.change_tasks({2: {"state": "failed"}})
    small.save()
    with writing(small.project.database) as connection:
        ids = {
            name: requests.add(connection, kind, payload)
            for name, kind, payload in (
                ("stop", "stop", {"after_shard": False}),
                ("retry", "retry", {"tasks": [2]}),
                ("skip", "skip", {"tasks": [1]}),
                ("flag", "flag", {"places": [[0, 1]], "flagged": True}),
                ("rate", "rate", {"records": [[0, 1]], "model": "served", "good": True}),
                ("recheck", "recheck", {"tasks": []}),
                (
                    "exported",
                    "exported",
                    {"path": "/o", "format": "json", "captions": 2, "images": 1},
                ),
                ("pause", "pause", {}),
                ("exclude", "exclude", {"records": [[1, None]]}),
                ("set", "set", {"model": "dry-run", "changes": {"batch": "4"}}),
                ("junk", "retry", {"tasks": "junk"}),
                ("dance", "dance", {}),
            )
        }
    answer_leftovers(small.state)
    small.save()
    with reading(small.project.database) as connection:
        rows = {name: requests.get(connection, number) for name, number in ids.items()}
        assert requests.pending(connection) == ()
    assert {name: (row.state, row.note) for name, row in rows.items()} == {
        "stop": ("refused", "the run has ended"),
        "retry": ("done", "retry of 1 task"),
        "skip": ("done", "skipped: 1 task"),
        "flag": ("done", "flagged: 00000/1"),
        "rate": ("done", "served: rated good: 00000/1"),
        "recheck": ("done", "nothing is damaged"),
        "exported": ("done", "exported 2 captions of 1 image as json to /o"),
        "pause": ("refused", "the run has ended"),
        "exclude": ("refused", "the run has ended"),
        "set": ("refused", "the run has ended"),
        "junk": (
            "refused",
            "invalid request retry: Expected `array`, got `str` - at `$.tasks`",
        ),
        "dance": ("refused", "the run has ended"),
    }
    assert set(OUTLIVING_KINDS) == {name for name, row in rows.items() if row.state == "done"}
    assert small.state.ledger[2].state == "pending"
    assert small.state.ledger[1].state == "skipped"
    assert not small.state.settings.paused
