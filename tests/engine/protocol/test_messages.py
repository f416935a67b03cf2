"""The seam between supervisor and worker, with generated messages: good, bad and unwanted ones."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.project import caption_log
from engine.protocol import messages
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row
from engine.protocol.framing import MAX_LINE_BYTES, MessageReader, encode, parse_line
from engine.protocol.messages import (
    FromWorker,
    ProtocolError,
    Rows,
    WaitingForSlot,
    from_supervisor,
    from_worker,
    to_wire,
)
from tests.support.run_in_memory import RunInMemory

COUNT = 6
"""Records of the shard that the generated rows are about."""
KINDS = [kind for kind in get_args(FromWorker) if kind is not WaitingForSlot]

texts = st.text(st.characters(blacklist_categories=()), max_size=30)  # lone surrogates, too
sizes = st.integers(min_value=1, max_value=2**31 - 1)
integers = st.integers(-(2**63), 2**64 - 1)
counts = st.integers(0, 2**64 - 1)
seconds = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
rows = st.one_of(
    st.builds(CaptionRow, integers, texts, integers, texts),
    st.builds(ErrorRow, integers, texts, texts),
)


def to_messages(kind: type[FromWorker]) -> st.SearchStrategy[FromWorker]:
    """Return a strategy for the messages of one class."""
    by_name: dict[str, st.SearchStrategy[Any]] = {
        "batch": sizes,
        "size": sizes,
        "fits": sizes,
        "rss": counts,
        "seconds": seconds,
        "rows": st.lists(rows, max_size=4).map(tuple),
        "records": st.lists(integers, max_size=4).map(tuple),
    }
    by_type = {int: integers, str: texts, float: seconds}
    strategies = {}
    for entry in msgspec.structs.fields(kind):
        literal = get_args(entry.type)
        if entry.name in by_name:
            strategies[entry.name] = by_name[entry.name]
        elif literal and isinstance(literal[0], str):
            strategies[entry.name] = st.sampled_from(literal)
        else:
            strategies[entry.name] = by_type[entry.type]
    return st.builds(kind, **strategies)


from_workers = st.one_of(*map(to_messages, KINDS))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(texts, children, max_size=4),
    max_leaves=8,
)


@given(from_workers)
def test_a_message_arrives_as_it_was_sent(message: FromWorker) -> None:
    assert list(MessageReader().feed(encode(message))) == [message]


@given(st.lists(from_workers, max_size=6), st.integers(min_value=1, max_value=40))
def test_messages_arrive_whole_however_they_are_cut(sent: list[FromWorker], size: int) -> None:
    data = b"".join(map(encode, sent))
    reader = MessageReader()
    pieces = [data[k : k + size] for k in range(0, len(data), size)]
    assert [message for piece in pieces for message in reader.feed(piece)] == sent


@given(json_values)
def test_any_json_is_a_message_or_refused(value: Any) -> None:
    for check in (from_worker, from_supervisor):
        try:
            message = check(value)
        except ProtocolError:
            continue
        assert check(to_wire(message)) == message


@given(from_workers, st.data())
def test_a_field_of_a_wrong_type_is_refused(message: FromWorker, data: st.DataObject) -> None:
    wire = to_wire(message)
    names = [name for name in wire if name != "type"]
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    right = wire[name]
    wrong = data.draw(
        st.sampled_from([None, True, [None], {"a": 1}, "text", 1.5])
        .filter(lambda value: type(value) is not type(right))
        .filter(lambda value: not (isinstance(right, int | float) and isinstance(value, float)))
    )
    for broken in (wire | {name: wrong}, {key: wire[key] for key in wire if key != name}):
        with pytest.raises(ProtocolError):
            from_worker(json.loads(json.dumps(broken)))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"A library printed this",
        b'{"type": "rows", "task": 1, "attempt": 1, "rows": [{"i": 0, "raw": "cut',
        b'{"type": "rows", "task": 1, "attempt": 1, "rows": [{"i": 0}]}',
        b'{"type": "rows", "task": 1, "attempt": 1, "rows": [7]}',
        b'{"type": "rows", "task": 1, "attempt": 1, "rows": [{"i": true, "error": "x"}]}',
        b'{"type": "rows", "task": 1, "attempt": 1}',
        b'{"type": "unavailable", "model": 1, "cause": "failing", "text": "", "seconds": 1e400,'
        b' "records": []}',
        b'{"type": "unavailable", "model": 1, "cause": "failing", "text": "", "seconds": NaN,'
        b' "records": []}',
        b'{"type": "batch", "model": 1, "size": 0, "fits": 1, "cause": "throughput", "text": ""}',
        b'{"type": "load", "model": 1}',
        b'{"type": "waiting", "text": "only a launcher says this"}',
        b"[" * 100_000,
        b"[" * 1_010 + b"]" * 1_010,
    ],
)
def test_what_is_no_message_is_refused_after_what_came_before(line: bytes) -> None:
    reader = MessageReader()
    good = encode(messages.Heartbeat(rss=1))
    received = []
    with pytest.raises(ProtocolError):
        for message in reader.feed(good + line + b"\n" + good):
            received.append(message)
    assert received == [messages.Heartbeat(rss=1)]


@pytest.mark.parametrize(
    ("line", "shown"),
    [(b"loss 0.3", "not a message: 'loss 0.3'"), (b"\x1b[1m\xff", "'\\x1b[1m\ufffd'")],
)
def test_what_was_written_is_shown_as_text(line: bytes, shown: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        list(MessageReader().feed(line + b"\n"))
    assert shown in str(caught.value)


@pytest.mark.parametrize("number", ["1e400", "1" + "0" * 30, "-1" + "0" * 30, "NaN"])
def test_a_number_too_large_to_be_read_is_out_of_range(number: str) -> None:
    row = '{"i": N, "raw": "a dog", "tokens": N, "finish": "stop"}'.replace("N", number)
    line = f'{{"type": "rows", "task": 1, "attempt": 1, "rows": [{row}]}}\n'
    expected = Rows(task=1, attempt=1, rows=(CaptionRow(-1, "a dog", -1, "stop"),))
    assert list(MessageReader().feed(line.encode())) == [expected]


def test_a_line_without_end_is_refused() -> None:
    reader = MessageReader()
    piece = b"x" * 2**20
    for _ in range(MAX_LINE_BYTES // len(piece)):
        assert list(reader.feed(piece)) == []
    with pytest.raises(ProtocolError):
        list(reader.feed(piece))


def test_the_supervisor_sends_what_a_worker_reads(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    worker = run.captioning(rows=2)
    run.supervisor.task_runner.cancel_tasks("paused")
    run.supervisor.forget_witness()
    sent: list[Any] = run.sent(worker, object)
    assert {type(message) for message in sent} >= {
        messages.Start,
        messages.Load,
        messages.Records,
        messages.Cancel,
        messages.ForgetWitness,
    }
    for message in sent:
        assert from_supervisor(parse_line(encode(message).strip())) == message


# What the supervisor makes of well-formed messages that it does not want


@contextmanager
def run_in_memory() -> Iterator[RunInMemory]:
    with tempfile.TemporaryDirectory() as folder:
        yield RunInMemory(Path(folder) / "project", records=COUNT)


own_rows = st.one_of(
    st.builds(
        CaptionRow,
        st.integers(-1, COUNT),
        texts,
        st.sampled_from([0, 5, -1, 2**31 - 1, 2**31, 2**80]),
        st.sampled_from(["stop", "length"]),
    ),
    st.builds(
        ErrorRow,
        st.integers(-1, COUNT),
        st.sampled_from(["missing", "excluded", "readmitted", "x" * 50, ""]),
        texts,
    ),
)
row_lists = st.lists(own_rows, max_size=8)


@settings(max_examples=150)
@given(st.lists(st.tuples(row_lists, st.sampled_from([0, 0, 0, 1])), max_size=6))
@example([([CaptionRow(0, "a", 5, "stop"), CaptionRow(0, "b", 5, "stop")], 0)])
def test_rows_in_any_order_are_kept_once_or_counted(batches: list[tuple[list[Row], int]]) -> None:
    """Each row becomes its record's row, or is counted as dropped; nothing is lost or kept twice.

    Afterwards the records that have no row yet are captioned, and the task is done.
    """
    with run_in_memory() as run:
        worker = run.captioning()
        attempt = worker.attempt
        assert attempt is not None
        expected: dict[int, Row] = {}
        dropped = stale = 0
        for batch, late in batches:
            if len(expected) == COUNT:
                break
            message = Rows(task=1, attempt=attempt.number + late, rows=tuple(batch))
            run.send(worker, message)
            for row in batch:
                if late:
                    stale += 1
                elif not 0 <= row.i < COUNT or row.i in expected:
                    dropped += 1
                else:
                    expected[row.i] = row
        assert attempt.dropped.total() == dropped
        assert worker.stale_rows == stale
        assert attempt.outstanding == set(range(COUNT)) - set(expected)
        assert set(attempt.originals) == attempt.outstanding
        if attempt.outstanding:
            run.rows(worker, *attempt.outstanding)
        assert run.task.state == "done"
        assert run.task.rows == COUNT
        contents = caption_log.read(attempt.log.path, COUNT)
        for i, row in expected.items():
            kept = contents.captions.get(i) or contents.errors[i]
            assert kept == row or (isinstance(kept, ErrorRow) and kept.error == "invalid")


@settings(max_examples=150)
@given(st.lists(from_workers, max_size=12))
def test_no_well_formed_message_ends_the_run(sent: list[FromWorker]) -> None:
    """Whatever comes in whatever order, the task can still be captioned to its end."""
    with run_in_memory() as run:
        for message in sent:
            run.send(run.starting(), message)
            run.turn(1.0)
        for worker in list(run.supervisor.workers.values()):
            run.exit(worker, 1)
        run.change_model(blocked=None, blocked_cause=None, not_before=0.0)
        run.supervisor.device_pool.load_not_before.clear()
        run.supervisor.device_pool.wake("cuda:0")
        run.state.resume()
        run.state.ledger.retry(1, run.clock.time(), failed_items=False)
        run.clock.now += run.policy.longest_delay
        while run.task.state != "done":
            worker = run.captioning()
            assert worker.attempt is not None
            run.rows(worker, *worker.attempt.outstanding)
        assert run.task.captioned == COUNT
