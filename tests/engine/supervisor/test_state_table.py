"""The table of states in docs/architecture.md, row by row, without a process.

Every row of the page's tables has at least one case here, found by the beginning of its first cell.
A case says which of the facts (`RunInMemory.facts`) have changed between just before the event and
just after it.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from db.connection import DatabaseBusy, DatabaseDamaged
from engine.captioners.model_families import FAMILIES
from engine.protocol.caption_row import CaptionRow
from engine.protocol.messages import (
    BatchChanged,
    Cancel,
    Failed,
    Generating,
    Heartbeat,
    LayerComputed,
    Load,
    Loaded,
    LoadFailed,
    Loading,
    Records,
    RequestEnded,
    RootLost,
    Rows,
    Stuck,
    Unavailable,
)
from engine.state.policy import Policy
from engine.state.reconcile import log_path
from engine.supervisor.worker_state import WorkerState
from engine.utils.errors import BadInput
from tests.support.fake_scorer import FAMILY
from tests.support.run_in_memory import RunInMemory, caption, failure

PAGE = Path(__file__).parents[3] / "docs/architecture.md"
FULL = OSError(errno.ENOSPC, "No space left on device")
UNREADABLE = OSError(errno.EIO, "Input/output error")

Step = Callable[[RunInMemory], object]


@dataclass(frozen=True)
class Case:
    """One case of a row."""

    row: str
    """The beginning of the row's first cell, without code marks."""
    event: Step
    """What happens."""
    changed: Mapping[str, object]
    """The facts that are different after it."""
    given: Step = lambda run: None
    """What was before."""
    run: dict[str, object] = field(default_factory=dict)
    """Arguments of `RunInMemory`."""
    also: Step = lambda run: None
    """Further assertions, afterwards."""
    name: str = ""
    """What tells this case from others of its row."""


def worker(run: RunInMemory, device: str = "cuda:0") -> WorkerState:
    return next(w for w in run.supervisor.workers.values() if w.device == device)


def attempt_key(run: RunInMemory) -> tuple[int, int]:
    attempt = worker(run).attempt
    assert attempt is not None
    return attempt.key


def captioning(rows: int = 0) -> Step:
    def begin(run: RunInMemory) -> None:
        run.captioning(rows=rows)

    return begin


def loaded(run: RunInMemory) -> None:
    run.loaded()


def exits(code: int = 1, **values: str) -> Step:
    return lambda run: run.exit(worker(run), code, **values)


def both(*steps: Step) -> Step:
    def run_all(run: RunInMemory) -> None:
        for step in steps:
            step(run)

    return run_all


def last_rows(run: RunInMemory) -> None:
    run.rows(worker(run), 2, 3)


def isolated(run: RunInMemory, times: int = 1) -> WorkerState:
    """Bring record 0 alone to a worker: the worker before had reported it and crashed."""
    first = run.captioning()
    run.prove()
    run.rows(first, 1)
    run.decoding(first, 0)
    run.exit(first, -11)
    for _ in range(times - 1):
        alone = run.captioning()
        run.decoding(alone, 0)
        run.exit(alone, -11)
        run.prove()
    alone = run.captioning()
    run.prove()
    assert run.outstanding(alone) == [0]
    run.decoding(alone, 0)
    return alone


def isolated_once(run: RunInMemory) -> None:
    isolated(run)


def isolated_twice(run: RunInMemory) -> None:
    isolated(run, 2)


def second_device_proven(run: RunInMemory) -> None:
    run.captioning("cuda:0")
    run.prove("cuda:1")


def to_server_suspect(run: RunInMemory, outages: int) -> None:
    """Bring record 0 alone to its server, after so many outages with it alone."""
    first = run.captioning()
    run.rows(first, 1, 2, 3)
    for n in range(outages + 1):
        run.send(worker(run), unavailable(0))
        run.clock.now += run.policy.longest_delay
        run.captioning()
        run.dispatch()
        assert run.outstanding(worker(run)) == [0], n


def unavailable(*records: int, seconds: float = 0.0) -> Unavailable:
    return Unavailable(model=1, cause="failing", text="HTTP 500", seconds=seconds, records=records)


def loading(run: RunInMemory) -> None:
    assert run.starting().state == "loading"


def load_fails(kind: str = "checkpoint") -> Step:
    def fail(run: RunInMemory) -> None:
        run.send(worker(run), LoadFailed(model=1, kind=kind, text="no weights"))  # type: ignore[arg-type]

    return fail


def killed_loads(run: RunInMemory, times: int) -> None:
    """Note that so many loads on the first device ended by a kill before."""
    run.supervisor.device_pool.killed_loads["cuda:0", 1] = times


def loses_root(run: RunInMemory) -> None:
    task, attempt = attempt_key(run)
    run.send(worker(run), RootLost(task=task, attempt=attempt, text="is the image root mounted?"))


def hang(run: RunInMemory) -> None:
    run.turn(run.policy.heartbeat_limit + 1)
    assert run.signals(worker(run)) == ["TERM"]


def no_longer_listed(run: RunInMemory) -> None:
    run.launcher.rows = run.launcher.rows[1:]
    run.turn()
    run.exit(worker(run), -15)


def gpu_lost(run: RunInMemory) -> None:
    run.supervisor.device_pool.monitor.lost.add("cuda:0")
    run.turn()
    run.exit(worker(run), -15)


def starts_where_nothing_starts(run: RunInMemory) -> None:
    run.launcher.cannot_start = True
    run.dispatch()


STRUCK = {"state": "pending", "outcome": "died", "deaths": {"cuda:0": 1}}
"""The facts that most deaths of a worker change."""
ENDPOINT: dict[str, object] = {"family": "endpoint", "models": ["endpoint"]}
SERVER: dict[str, object] = {"family": "server", "models": ["server"]}
TWO_GPUS: dict[str, object] = {"devices": ["cuda:0", "cuda:1"], "shards": 2}
TWO_NODES: dict[str, object] = {"devices": ["a/cuda:0", "b/cuda:0"], "shards": 2}


SCORED: dict[str, object] = {"scorers": ["clip"]}
"""Task 2 is that of a scorer."""


def scoring(run: RunInMemory) -> None:
    """Have the captions of the shard done, and a worker at their scores."""
    run.rows(run.captioning(), *range(4))
    run.captioning()


def scored(run: RunInMemory) -> None:
    """Have the captions of the shard done, and their scores, too."""
    scoring(run)
    run.scores(worker(run))
    run.commit()


def captioned_again(device: str = "cuda:0", rows: int = 0, other: bool = False) -> Step:
    """Return the step that retries the captioner's task, and brings so many of its rows.

    With `other`, captions that were not there before come for records 0 and 1.
    """

    def again(run: RunInMemory) -> None:
        run.state.ledger.retry(1, run.clock.time(), failed_items=False)
        run.commit()
        captioner = run.captioning(device, rows)
        if other:
            run.rows(captioner, *(CaptionRow(i, f"Another of {i}.", 3, "stop") for i in (0, 1)))

    return again


def may_start(run: RunInMemory, model: int) -> bool:
    """Return True if a task of the model would start on a free device, after a commit."""
    run.commit()
    return run.state.ledger.next_task(model, run.clock.time()) is not None


CASES = [
    # The ordinary course
    Case(
        "A free worker has the task's model loaded",
        lambda run: run.dispatch(),
        {"state": "running", "cause": None},
        given=both(
            lambda run: run.change_task(error="before", error_cause="hung"),
            loaded,
        ),
        also=lambda run: check(run.task.attempt == 1, run.task.error is None),
    ),
    Case(
        "Rows arrive for the running attempt",
        lambda run: run.rows(worker(run), 0, failure(1)),
        {"deaths": {}, "failed": 1},
        given=both(captioning(), lambda run: run.supervisor.device_pool.count_death("cuda:0")),
        also=lambda run: check(
            run.supervisor.device_pool.is_proven("cuda:0", 1), worker(run).attempt.log.rows == 2
        ),
    ),
    Case(
        "Rows arrive with the number of an old attempt",
        lambda run: run.send(worker(run), Rows(task=1, attempt=99, rows=(caption(0), caption(1)))),
        {},
        given=captioning(),
        also=lambda run: check(worker(run).attempt.log.rows == 0, worker(run).stale_rows == 2),
    ),
    Case(
        "Rows arrive with the number of an old attempt",
        lambda run: run.rows(worker(run), 0, caption(4), caption(-1)),
        {},
        given=captioning(rows=1),
        also=lambda run: check(
            worker(run).attempt.log.rows == 1,
            worker(run).attempt.dropped == {"doubled": 1, "out of range": 2},
        ),
        name="not with the worker",
    ),
    Case(
        "The last missing row arrives",
        last_rows,
        {"state": "done", "outcome": "done", "strikes": 0, "suspects": []},
        given=both(
            lambda run: run.change_task(strikes=2),
            lambda run: run.prove(),
            lambda run: run.supervisor.worker_exits.suspects.add_suspects(1, [0]),
            captioning(),
            lambda run: run.rows(worker(run), 0),
            lambda run: run.rows(worker(run), 1),
        ),
    ),
    Case(
        "The same, but the log is not complete when it is read back",
        lambda run: both(lambda run: worker(run).attempt.log.path.write_bytes(b""), last_rows)(run),
        {
            "state": "pending",
            "outcome": "done",
            "strikes": 1,
            "delay": 30.0,
            "cause": "log_incomplete",
        },
        given=captioning(rows=2),
    ),
    Case(
        "The same, but the log cannot be read",
        last_rows,
        {"state": "pending", "outcome": "done", "paused": "cannot_write"},
        given=both(captioning(rows=2), lambda run: make_unreadable(run)),
    ),
    Case(
        "The same, but the last rows cannot be synced",
        last_rows,
        {"state": "pending", "outcome": "done", "paused": "disk_full"},
        given=both(captioning(rows=2), lambda run: run.break_log(worker(run), "sync", FULL)),
    ),
    Case(
        "A batch of more than one image runs out of memory",
        lambda run: run.send(
            worker(run),
            BatchChanged(model=1, size=1, fits=1, cause="out_of_memory", text="out of memory"),
        ),
        {},
        given=captioning(),
        also=lambda run: check(run.state.batch_sizes == {("cuda:0", 1): 1}, worker(run).batch == 1),
    ),
    # Scorers
    Case(
        "The last open task of the shard's captioners closes",
        last_rows,
        {"state": "done", "outcome": "done"},
        given=captioning(rows=2),
        run=SCORED,
        also=lambda run: check(may_start(run, 2)),
    ),
    Case(
        "The same, and the scorer's task is done",
        last_rows,
        {"state": "done", "outcome": "done", "scoring": ["pending"]},
        given=both(scored, captioned_again(rows=2)),
        run=SCORED,
        also=lambda run: check(not may_start(run, 2), run.state.ledger.uncounted == {2}),
    ),
    Case(
        "The same, and the scorer's task is running",
        lambda run: run.rows(worker(run, "cuda:1"), 2, 3),
        {"state": "done", "outcome": "done"},
        given=both(scoring, captioned_again("cuda:1", rows=2)),
        run={**SCORED, "devices": ["cuda:0", "cuda:1"]},
        also=lambda run: check(run.state.ledger[2].state == "running"),
    ),
    Case(
        "The log of such a pending task is counted again, and it has a score of every caption",
        lambda run: run.supervisor.task_runner.count_scores(),
        {"scoring": ["done"]},
        given=both(scored, captioned_again(rows=4)),
        run=SCORED,
        also=lambda run: check(worker(run).model_id == 1, not run.state.ledger.uncounted),
    ),
    Case(
        "The same, and a caption has no score",
        lambda run: run.supervisor.task_runner.count_scores(),
        {},
        given=both(scored, captioned_again(other=True), last_rows),
        run=SCORED,
        also=lambda run: check(run.state.ledger[2].left == 2, may_start(run, 2)),
    ),
    Case(
        "The last missing row of a scorer arrives, and captions were added",
        lambda run: run.scores(worker(run)),
        {"scoring": ["pending"]},
        given=both(
            scoring,
            captioned_again("cuda:1", other=True),
            lambda run: run.rows(worker(run, "cuda:1"), 2, 3),
        ),
        run={**SCORED, "devices": ["cuda:0", "cuda:1"]},
        also=lambda run: check(
            (run.state.ledger[2].left, run.state.ledger[2].strikes) == (2, 0), may_start(run, 2)
        ),
    ),
    # Files
    Case(
        "The shard file is missing, unreadable or has another digest",
        lambda run: run.dispatch(),
        {"state": "failed", "cause": "shard_missing"},
        given=both(loaded, lambda run: run.project.shard_file(0).unlink()),
        name="missing",
    ),
    Case(
        "The shard file is missing, unreadable or has another digest",
        lambda run: run.dispatch(),
        {"state": "failed", "cause": "shard_changed"},
        given=both(loaded, lambda run: append_to_shard(run)),
        name="another digest",
    ),
    Case(
        "The shard file is missing, unreadable or has another digest",
        lambda run: run.dispatch(),
        {"state": "failed", "cause": "shard_unreadable"},
        given=both(loaded, lambda run: make_folder(run.project.shard_file(0))),
        name="unreadable",
    ),
    Case(
        "The shard file is written to, or a line of it is not JSON",
        lambda run: both(lambda run: append_to_shard(run), lambda run: run.rows(worker(run), 0))(
            run
        ),
        {"state": "failed", "outcome": "withdrawn", "cause": "shard_changed"},
        given=captioning(),
        run={"records": 20, "policy": Policy(chunk=1)},
        also=lambda run: check(len(run.sent(worker(run), Cancel)) == 1),
    ),
    Case(
        "The caption log or the shard file cannot be opened",
        lambda run: run.dispatch(),
        {"state": "pending", "paused": "cannot_write", "cause": "cannot_write"},
        given=both(loaded, lambda run: make_folder(log_path(run.state, run.task))),
    ),
    Case(
        "A caption log cannot be synced",
        lambda run: run.supervisor.task_runner.sync_logs(at_once=True),
        {"state": "pending", "outcome": "withdrawn", "paused": "disk_full"},
        given=both(captioning(rows=1), lambda run: run.break_log(worker(run), "sync", FULL)),
        also=lambda run: check(len(run.sent(worker(run), Cancel)) == 1),
    ),
    Case(
        "The disk is full",
        lambda run: run.rows(worker(run), 0),
        {"state": "pending", "outcome": "withdrawn", "paused": "disk_full"},
        given=both(captioning(), lambda run: run.break_log(worker(run), "append", FULL)),
        also=lambda run: check(
            len(run.sent(worker(run), Cancel)) == 1,
            still_paused_with(run, run.policy.disk_floor - 1),
            not still_paused_with(run, run.policy.disk_floor),
        ),
    ),
    Case(
        "The project cannot be written for another reason",
        lambda run: run.rows(worker(run), 0),
        {"state": "pending", "outcome": "withdrawn", "paused": "cannot_write"},
        given=both(captioning(), lambda run: run.break_log(worker(run), "append", UNREADABLE)),
        also=lambda run: check(still_paused_with(run, 2**40)),
    ),
    Case(
        "The database is busy at a commit",
        lambda run: run.supervisor.commit(force=True),
        {},
        given=both(captioning(rows=1), lambda run: break_database(run, DatabaseBusy("busy"))),
        also=lambda run: check(run.supervisor.committed_at == 0.0, run.state.events),
    ),
    Case(
        "The project folder was moved",
        lambda run: raises(BadInput, run.supervisor.check_lock),
        {},
        given=captioning(),
    ),
    Case(
        "The database is damaged",
        lambda run: raises(DatabaseDamaged, lambda: run.supervisor.commit(force=True)),
        {},
        given=both(captioning(), lambda run: break_database(run, DatabaseDamaged("damaged"))),
    ),
    # The worker of a running task ends
    Case(
        "The machine or the Ray actor of the worker is lost",
        exits(0, lost="its node is gone"),
        {"state": "pending", "outcome": "lost", "deaths": {"cuda:0": 1}},
        given=captioning(),
    ),
    Case(
        "The supervisor ended the worker, but not because it hung",
        lambda run: both(lambda run: worker(run).stop(), exits(-9))(run),
        {"state": "pending", "outcome": "stopped"},
        given=captioning(),
    ),
    Case(
        "The worker still exists 60 s after SIGKILL",
        both(lambda run: run.turn(11.0), lambda run: run.turn(61.0)),
        {
            "state": "pending",
            "outcome": "stopped",
            "devices": {"cuda:0": "lost"},
            "paused": "devices_lost",
        },
        given=both(captioning(), hang),
    ),
    Case(
        "The record that ran alone is recognised as poison",
        exits(-11),
        {"state": "done", "outcome": "died", "failed": 1, "suspects": [], "evidence": {(1, 0): 4}},
        given=both(isolated_twice, lambda run: finish_others(run)),
    ),
    Case(
        "The worker was killed by SIGKILL from outside",
        exits(-9),
        STRUCK | {"suspects": [0], "cause": "killed"},
        given=both(captioning(), lambda run: run.decoding(worker(run), 0)),
    ),
    Case(
        "The device is on trial",
        exits(1),
        STRUCK | {"suspects": [0], "cause": "exited"},
        given=both(second_device_proven, lambda run: run.decoding(worker(run), 0)),
        run=TWO_GPUS,
    ),
    Case(
        "The worker reported stuck",
        exits(3),
        STRUCK | {"cause": "stuck_read"},
        given=both(captioning(), lambda run: run.send(worker(run), Stuck(text="a read hangs"))),
    ),
    Case(
        "A suspect was alone, the device is proven for the model",
        exits(-11),
        STRUCK | {"evidence": {(1, 0): 2}, "cause": "crashed"},
        given=isolated_once,
    ),
    Case(
        "Anything else, and the attempt had added rows",
        exits(1),
        STRUCK | {"strikes": 0, "cause": "exited"},
        given=both(lambda run: run.change_task(strikes=2), captioning(rows=1)),
    ),
    Case(
        "Anything else, and the attempt had added no row",
        exits(1),
        STRUCK | {"strikes": 1, "delay": 30.0, "cause": "exited"},
        given=captioning(),
        name="no suspects",
    ),
    Case(
        "Anything else, and the attempt had added no row",
        exits(1),
        STRUCK | {"strikes": 2, "suspects": [0, 1], "cause": "exited"},
        given=both(
            lambda run: run.change_task(strikes=1),
            captioning(),
            lambda run: run.decoding(worker(run), 0, 1),
        ),
        name="suspects",
    ),
    Case(
        "Anything else, and the attempt had added no row",
        exits(1),
        STRUCK | {"state": "failed", "strikes": 3, "cause": "exited"},
        given=both(lambda run: run.change_task(strikes=2), captioning()),
        name="the third",
    ),
    Case(
        "Anything else, and the attempt had added no row",
        exits(-15),
        STRUCK | {"strikes": 1, "delay": 30.0, "cause": "killed"},
        given=captioning(),
        name="SIGTERM",
    ),
    Case(
        "Anything else, and the attempt had added no row",
        exits(-9),
        STRUCK | {"strikes": 1, "delay": 30.0, "deaths": {"cuda:0": 2}, "cause": "killed"},
        given=both(captioning(), exits(-9), captioning()),
        name="a second SIGKILL",
    ),
    Case(
        "Anything else, and the attempt had added no row",
        exits(4),
        STRUCK | {"strikes": 1, "delay": 30.0, "cause": "out_of_memory"},
        given=both(
            captioning(), lambda run: run.send(worker(run), Failed(kind="memory", text="no room"))
        ),
        name="a failed message",
    ),
    Case(
        "Anything else, and the attempt had added no row",
        exits(-9),
        STRUCK | {"strikes": 1, "delay": 30.0, "cause": "hung"},
        given=both(captioning(), hang),
        name="a hang",
    ),
    Case(
        "The worker was killed by SIGKILL from outside",
        exits(-9, protocol_error="not a message"),
        STRUCK | {"cause": "protocol_error"},
        given=captioning(),
        name="wrote something that is no message",
    ),
    # Servers
    Case(
        "unavailable while captioning",
        lambda run: run.send(worker(run), unavailable(0, 1)),
        {
            "state": "pending",
            "outcome": "withdrawn",
            "cause": "server_unavailable",
            "server_suspects": [0, 1],
            "unavailable": "failing",
            "waits": 30.0,
        },
        given=captioning(),
        run=ENDPOINT,
        also=lambda run: check(worker(run).model_id is None, not run.sent(worker(run), Cancel)),
    ),
    Case(
        "unavailable while captioning",
        lambda run: run.send(worker(run), unavailable(seconds=7200.0)),
        {
            "state": "pending",
            "outcome": "withdrawn",
            "cause": "server_unavailable",
            "unavailable": "failing",
            "waits": 3600.0,
        },
        given=captioning(),
        run=ENDPOINT,
        name="asked to wait",
    ),
    Case(
        "The same, the first and second time that the server",
        lambda run: run.send(worker(run), unavailable(0)),
        {"state": "pending", "outcome": "withdrawn", "cause": "server_unavailable", "waits": 60.0},
        given=lambda run: to_server_suspect(run, 0),
        run=ENDPOINT,
        also=lambda run: check(
            run.supervisor.outages.suspects.evidence == {(1, 0): 1},
            any("mllmaug-tui exclude" in text for text in run.events),
        ),
    ),
    Case(
        "The same, the third time",
        lambda run: run.send(worker(run), unavailable(0)),
        {
            "state": "done",
            "outcome": "withdrawn",
            "failed": 1,
            "server_suspects": [],
            "waits": 240.0,
        },
        given=lambda run: to_server_suspect(run, 2),
        run=ENDPOINT,
    ),
    Case(
        "The server has a suspect alone or is about to get one",
        lambda run: run.dispatch(),
        {},
        given=lambda run: two_attempts_at_one_server(run),
        run=ENDPOINT | TWO_GPUS,
        also=both(
            lambda run: check(
                [len(m.records) for m in run.sent(worker(run, "cuda:0"), Records)][-1] == 1,
                not worker(run, "cuda:1").attempt.outstanding,
            ),
            # The one that waits does not count as hung, and the other one does.
            lambda run: run.wait_alive(run.policy.row_limit + 60),
            lambda run: check(
                run.signals(worker(run, "cuda:0")) == ["TERM", "KILL"],
                run.signals(worker(run, "cuda:1")) == [],
            ),
        ),
    ),
    Case(
        "The server has a suspect alone or is about to get one",
        lambda run: run.dispatch(),
        {},
        given=lambda run: two_attempts_at_one_server(run),
        run=SERVER | TWO_GPUS,
        also=lambda run: check(len(worker(run, "cuda:1").attempt.outstanding) == 4),
        name="each device has its own",
    ),
    Case(
        "unavailable from a server that the worker started",
        lambda run: run.send(worker(run), unavailable(0, 1)),
        {
            "state": "pending",
            "outcome": "withdrawn",
            "cause": "server_unavailable",
            "server_suspects": [0, 1],
        },
        given=captioning(),
        run=SERVER,
        also=lambda run: check(
            worker(run).model_id is None,
            run.supervisor.device_pool.may_load("cuda:0", 1),
            run.events[-1] == "HTTP 500",
        ),
    ),
    Case(
        "unavailable from a server that the worker started",
        lambda run: run.send(worker(run), unavailable(0)),
        {"state": "pending", "outcome": "withdrawn", "cause": "server_unavailable"},
        given=lambda run: to_server_suspect(run, 0),
        run=SERVER,
        also=lambda run: check(
            run.supervisor.device_pool.seconds_until_load("cuda:0", 1) == 30.0,
            run.supervisor.device_pool.seconds_until_load("cuda:1", 1) == 0.0,
        ),
        name="again, without a row in between",
    ),
    Case(
        "unavailable as the answer to a load",
        lambda run: run.send(worker(run), unavailable()),
        {"unavailable": "failing", "waits": 30.0},
        given=loading,
        run=ENDPOINT,
    ),
    Case(
        "The first caption after an outage",
        lambda run: run.rows(worker(run), 0),
        {"unavailable": None},
        given=both(
            captioning(),
            lambda run: run.send(worker(run), unavailable()),
            lambda run: run.turn(31.0),
            captioning(),
        ),
        run=ENDPOINT,
    ),
    # Loading
    Case(
        "loaded",
        loaded,
        {"load_failures": 0},
        given=both(
            lambda run: run.change_model(load_failures=2),
            loading,
            lambda run: run.supervisor.device_pool.record_no_room("cuda:0", 1) and None,
        ),
        also=lambda run: check(not run.supervisor.device_pool.loads_without_room),
    ),
    Case(
        "load_failed, kind memory",
        load_fails("memory"),
        {},
        given=loading,
        also=lambda run: check(
            not may_load(run, seconds=59.0),
            may_load(run, seconds=61.0),
            run.supervisor.device_pool.record_no_room("cuda:0", 1) is False,
            not may_load(run, seconds=119.0),
            may_load(run, seconds=121.0),
        ),
    ),
    Case(
        "load_failed, kind memory",
        load_fails("memory"),
        {"load_failures": 1},
        given=both(
            loading,
            lambda run: (
                [run.supervisor.device_pool.record_no_room("cuda:0", 1) for _ in range(10)] and None
            ),
        ),
        name="the eleventh",
    ),
    Case(
        "load_failed, kind checkpoint or error",
        load_fails(),
        {"deaths": {"cuda:0": 1}},
        given=both(loading, lambda run: run.prove("cuda:1")),
        run=TWO_GPUS,
        name="on trial",
    ),
    Case(
        "load_failed, kind checkpoint or error",
        lambda run: run.send(
            worker(run, "a/cuda:0"), LoadFailed(model=1, kind="error", text="no file")
        ),
        {"devices": {"a/cuda:0": "resting", "b/cuda:0": "ready"}},
        given=lambda run: run.dispatch(),
        run=TWO_NODES,
        name="another machine may",
    ),
    Case(
        "load_failed, kind checkpoint or error",
        lambda run: run.send(
            worker(run, "a/cuda:0"), LoadFailed(model=1, kind="error", text="no file")
        ),
        {},
        given=lambda run: run.dispatch(),
        run=TWO_NODES | {"models": ["one", "two"]},
        also=lambda run: check(
            not run.supervisor.device_pool.may_load("a/cuda:0", 1),
            run.supervisor.device_pool.may_load("b/cuda:0", 1),
        ),
        name="another machine may, and this one has other work",
    ),
    Case(
        "load_failed, kind checkpoint or error",
        load_fails(),
        {"load_failures": 3},
        given=both(lambda run: run.change_model(load_failures=2), lambda run: run.dispatch()),
        run=TWO_GPUS,
        also=lambda run: check(not may_load(run, seconds=29.0), may_load(run, seconds=31.0)),
        name="loading elsewhere",
    ),
    Case(
        "load_failed, kind checkpoint or error",
        load_fails(),
        {"load_failures": 1},
        given=loading,
        name="the first",
    ),
    Case(
        "load_failed, kind checkpoint or error",
        load_fails(),
        {"load_failures": 3, "blocked": "checkpoint"},
        given=both(lambda run: run.change_model(load_failures=2), loading),
        name="the third",
    ),
    Case(
        "load_failed, kind checkpoint or error",
        exits(1),
        {"load_failures": 1},
        given=loading,
        name="the worker dies",
    ),
    Case(
        "The worker dies by SIGKILL or SIGTERM while it loads",
        exits(-9),
        {"deaths": {"cuda:0": 1}},
        given=loading,
        also=lambda run: check(not may_load(run, seconds=59.0), may_load(run, seconds=61.0)),
        name="from outside",
    ),
    Case(
        "The worker dies by SIGKILL or SIGTERM while it loads",
        lambda run: both(hang_while_loading, exits(-15))(run),
        {"deaths": {"cuda:0": 1}},
        given=loading,
        name="it hung",
    ),
    Case(
        "The worker dies by SIGKILL or SIGTERM while it loads",
        exits(-9),
        {"load_failures": 1},
        given=both(loading, lambda run: killed_loads(run, 2)),
        also=lambda run: check(not may_load(run, seconds=239.0), may_load(run, seconds=241.0)),
        name="the third",
    ),
    Case(
        "The worker dies by SIGKILL or SIGTERM while it loads",
        exits(-9),
        {"load_failures": 3, "blocked": "died"},
        given=both(
            lambda run: run.change_model(load_failures=2),
            loading,
            lambda run: killed_loads(run, 4),
        ),
        also=lambda run: check(
            "killed while it loaded 5 times (SIGKILL), probably out of memory"
            in str(run.model.blocked),
            f"mllmaug-tui retry {run.project.folder} --model dry-run" in str(run.model.blocked),
            may_load(run, seconds=0.0),
        ),
        name="the fifth",
    ),
    Case(
        "The worker dies by SIGKILL or SIGTERM while it loads",
        exits(-9),
        {"deaths": {"cuda:0": 1}},
        given=both(loading, lambda run: run.prove("cuda:1"), lambda run: killed_loads(run, 9)),
        run=TWO_GPUS,
        name="on trial",
    ),
    Case(
        "The worker dies while it is idle",
        exits(1),
        {"deaths": {"cuda:0": 1}},
        given=loaded,
    ),
    Case(
        "The worker dies while it is idle",
        exits(0, lost="its node is gone"),
        {"deaths": {"cuda:0": 1}},
        given=loading,
        name="its machine is lost while it loads",
    ),
    Case(
        "The supervisor ended the worker while it loaded or was idle",
        lambda run: both(lambda run: worker(run).stop(), exits(-9))(run),
        {},
        given=loading,
    ),
    Case(
        "The worker exits after its load_failed message",
        exits(3),
        {},
        given=both(loading, load_fails("memory")),
    ),
    Case(
        "A worker cannot be started",
        starts_where_nothing_starts,
        {"devices": {"cuda:0": "resting"}},
    ),
    Case(
        "A model is blocked",
        lambda run: run.supervisor.model_loader.fail_tasks_of_blocked_models(),
        {"state": "failed", "cause": "model_blocked"},
        given=lambda run: run.change_model(blocked="no weights", blocked_cause="checkpoint"),
    ),
    # Devices and machines
    Case(
        "The driver no longer finds the GPU",
        gpu_lost,
        {
            "state": "pending",
            "outcome": "stopped",
            "devices": {"cuda:0": "lost"},
            "paused": "devices_lost",
        },
        given=captioning(),
    ),
    Case(
        "The node leaves the cluster",
        no_longer_listed,
        {"state": "pending", "outcome": "stopped", "devices": {}},
        given=captioning(),
    ),
    Case(
        "A device begins to rest",
        lambda run: run.supervisor.device_pool.rest("cuda:0"),
        {"devices": {"cuda:0": "resting"}},
        given=captioning(),
        also=lambda run: check(
            wait_until_ready(run, 299.0) == "resting", wait_until_ready(run, 2.0) == "ready"
        ),
    ),
    Case(
        "root_lost: images are missing",
        lambda run: loses_root(run),
        {
            "state": "pending",
            "outcome": "withdrawn",
            "devices": {"cuda:0": "resting", "b/cuda:0": "ready"},
        },
        given=captioning(),
        run={"devices": ["cuda:0", "b/cuda:0"], "shards": 2},
    ),
    Case(
        "The same, but no other machine has a ready device",
        lambda run: loses_root(run),
        {"state": "pending", "outcome": "withdrawn", "paused": "root_lost"},
        given=captioning(),
        also=lambda run: check(len(run.sent(worker(run), Cancel)) == 1),
    ),
]


def append_to_shard(run: RunInMemory) -> None:
    with run.project.shard_file(0).open("a") as file:
        file.write("no record")


def make_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)


def still_paused_with(run: RunInMemory, free_bytes: int) -> bool:
    """Return True if the run is still paused after it has looked at a disk with so much room."""
    run.free_bytes = free_bytes
    run.supervisor.pause_watch.check()
    run.clock.now += run.policy.disk_retry + 1
    run.supervisor.pause_watch.check()
    return run.state.settings.paused


def break_database(run: RunInMemory, error: Exception) -> None:
    """Have every commit raise the error."""

    def fail(*_: object) -> None:
        raise error

    run.state.commit = fail  # type: ignore[method-assign, assignment]


def raises(kind: type[Exception], call: Callable[[], None]) -> None:
    with pytest.raises(kind):
        call()


def check(*conditions: object) -> None:
    for number, condition in enumerate(conditions):
        assert condition, number


def may_load(run: RunInMemory, seconds: float) -> bool:
    now = run.clock.now
    run.clock.now += seconds
    result = run.supervisor.device_pool.may_load("cuda:0", 1)
    run.clock.now = now
    return result


def make_unreadable(run: RunInMemory) -> None:
    """Make the log a folder once it is closed: reading it back then fails."""
    attempt = worker(run).attempt
    assert attempt is not None
    log, close = attempt.log, attempt.log.close

    def close_and_replace() -> None:
        close()
        log.path.unlink()
        log.path.mkdir()

    log.close = close_and_replace  # type: ignore[method-assign]


def finish_others(run: RunInMemory) -> None:
    """Have every record but the isolated one captioned in the log."""
    attempt = worker(run).attempt
    assert attempt is not None
    attempt.log.append([caption(i) for i in (1, 2, 3)])


def hang_while_loading(run: RunInMemory) -> None:
    for _ in range(40):
        run.clock.now += run.policy.load_limit / 40 + 1
        run.send(worker(run), Heartbeat(rss=1))
    run.turn()
    assert run.signals(worker(run)) == ["TERM"]


def two_attempts_at_one_server(run: RunInMemory) -> None:
    """The first attempt is about to isolate a suspect; the second one has nothing with it."""
    run.supervisor.outages.suspects.add_suspects(1, [0])
    first = run.captioning("cuda:0")
    run.rows(first, 1, 2, 3)
    assert run.outstanding(first) == [0]
    run.captioning("cuda:1")


def wait_until_ready(run: RunInMemory, seconds: float) -> str:
    run.clock.now += seconds
    run.supervisor.device_pool.wake_rested()
    return run.supervisor.device_pool.devices["cuda:0"].state


LOOP = "so so so so so so so"
"""A caption that loops."""


def look_at(run: RunInMemory, sick: int) -> None:
    """Have two hundred captions judged, of which so many loop."""
    healthy = "A dog with {} spots runs along the beach."
    rows = (CaptionRow(i, LOOP if i < sick else healthy.format(i), 5, "stop") for i in range(200))
    run.rows(worker(run), *rows)
    run.turn()


def has_alarm(beginning: str) -> Step:
    def check(run: RunInMemory) -> None:
        assert [it for it in run.events if it.startswith(beginning)] != []

    return check


HEALTH: tuple[Case, ...] = (
    Case(
        row="More captions of a model have a defect than its limit for a warning",
        run={"records": 300},
        given=captioning(),
        event=lambda run: look_at(run, 20),
        changed={},
        also=has_alarm("20 of 200 captions loop: look at dtype"),
    ),
    Case(
        row="More captions of a model have a defect than its limit for a stop",
        run={"records": 300},
        given=captioning(),
        event=lambda run: look_at(run, 100),
        changed={"state": "pending", "outcome": "withdrawn", "health_stop": True},
        also=has_alarm("stopped, since 100 of 200 captions loop"),
    ),
    Case(
        row="The same, but health stops are off",
        run={"records": 300, "policy": Policy(health_stop=False)},
        given=captioning(),
        event=lambda run: look_at(run, 100),
        changed={},
        also=has_alarm("100 of 200 captions loop"),
    ),
)
CASES.extend(HEALTH)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row} {case.name}".strip())
def test_row(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, FAMILY.name, FAMILY)
    run = RunInMemory(tmp_path / "project", **case.run)  # type: ignore[arg-type]
    case.given(run)
    before = run.facts()
    case.event(run)
    run.supervisor.task_runner.update_counts(run.supervisor.workers.values())
    after = run.facts()
    changed = {name: value for name, value in after.items() if value != before[name]}
    expected = {name: value for name, value in case.changed.items() if value != before[name]}
    assert changed == expected
    case.also(run)


def rows_of_page() -> list[str]:
    """Return the first cell of every row of the page's tables of states, without code marks.

    The start of a run and requests have their own tests (`tests/engine/state/test_reconcile.py`,
    `tests/engine/requests/test_handlers.py`).
    """
    section = PAGE.read_text().partition("## States of a task")[2].partition("### The start of")[0]
    rows = re.findall(r"^\| (.+?) \|", section, flags=re.MULTILINE)
    return [row.replace("`", "") for row in rows if row not in ("Event",) and "---" not in row]


def test_every_row_of_the_page_has_a_case_and_every_case_its_row() -> None:
    rows = rows_of_page()
    assert len(rows) > 35
    without_case = [row for row in rows if not any(row.startswith(case.row) for case in CASES)]
    without_row = [case.row for case in CASES if not any(row.startswith(case.row) for row in rows)]
    assert not without_case
    assert not without_row


@pytest.mark.parametrize(
    "message",
    [
        Generating(task=1, attempt=99, records=(0,)),
        Generating(task=99, attempt=1, records=(0,)),
        Loading(text="of another model"),
        Loaded(model=2, batch=1, seconds=0.0),
        LoadFailed(model=2, kind="error", text="x"),
        RequestEnded(attempt=99),
        LayerComputed(attempt=99),
        Unavailable(model=2, cause="failing", text="x", seconds=0.0, records=(0,)),
        BatchChanged(model=2, size=1, fits=1, cause="throughput", text="x"),
        RootLost(task=1, attempt=99, text="x"),
        RootLost(task=99, attempt=1, text="x"),
        Rows(task=99, attempt=1, rows=(caption(0),)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_about_something_else_changes_nothing(message: object, tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    run.captioning()
    before = run.facts(), worker(run).model_id, worker(run).batch
    run.send(worker(run), message)  # type: ignore[arg-type]
    assert (run.facts(), worker(run).model_id, worker(run).batch) == before


@pytest.mark.parametrize(
    "message",
    [
        Loaded(model=1, batch=3, seconds=1.0),
        LoadFailed(model=1, kind="error", text="x"),
        LoadFailed(model=1, kind="memory", text="x"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_load_that_ends_out_of_turn_changes_nothing(message: object, tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    captioner = run.captioning()
    before = run.facts()
    run.send(captioner, message)  # type: ignore[arg-type]
    assert (run.facts(), captioner.state, captioner.model_id) == (before, "captioning", 1)
    run.wait_alive(run.policy.row_limit + 60)
    assert run.signals(captioner)[:1] == ["TERM"], "a worker without a row counts as hung"


def test_a_record_that_the_worker_had_not_touched_is_not_poison(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    isolated(run)
    run.exit(worker(run), -11)
    for _ in range(2):
        run.prove()
        run.exit(run.captioning(), -11)
    assert run.supervisor.worker_exits.suspects.evidence == {(1, 0): 2}
    assert run.task.failed == 0


def test_two_records_that_end_every_worker_do_not_fail_their_task(tmp_path: Path) -> None:
    """Nothing but the probe image shows here that device and model are sound."""
    run = RunInMemory(tmp_path / "project", records=2)
    for round_ in ("the run", "a retry of the failed records"):
        while run.task.state not in ("done", "failed"):
            captioner = run.captioning()
            if run.sent(captioner, Records)[-1].probe:
                run.decoding(captioner, *run.outstanding(captioner))
                run.rows(captioner, *run.outstanding(captioner))
            run.decoding(captioner, *run.outstanding(captioner))
            run.exit(captioner, -11)
            run.turn(run.policy.device_rest)
        assert (run.task.state, run.task.failed, run.task.strikes) == ("done", 2, 0), round_
        assert [group.kind for group in run.state.failures[1]] == ["poison"]
        assert run.state.ledger.retry(1, run.clock.time(), failed_items=True)


def test_the_deaths_of_a_bad_device_are_no_evidence_on_a_good_one(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project", devices=("cuda:1", "cuda:0"))
    run.prove("cuda:0")
    for _ in range(3):
        worker = run.captioning("cuda:1")
        run.decoding(worker, 0)
        run.exit(worker, -11)
    worker = run.captioning("cuda:0")
    assert run.outstanding(worker) == [0]
    run.decoding(worker, 0)
    run.exit(worker, -9)  # by chance
    assert run.facts()["failed"] == 0


def test_a_device_or_model_that_fails_at_the_probe_image_fails_no_record(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project", records=1)
    while run.task.state not in ("done", "failed"):
        captioner = run.captioning()
        if not run.sent(captioner, Records)[-1].probe:
            run.decoding(captioner, 0)
        run.exit(captioner, -11)
        run.turn(run.policy.device_rest)
    assert (run.task.state, run.task.failed, run.task.strikes) == ("failed", 0, 3)


def test_a_probe_image_that_fails_proves_nothing_and_is_not_sent_again(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    run.supervisor.worker_exits.suspects.add_suspects(1, [2])
    captioner = run.captioning()
    assert run.outstanding(captioner) == [4], "an index that no record has"
    run.rows(captioner, failure(4))
    assert run.outstanding(captioner) == [2]
    assert not run.supervisor.device_pool.is_proven("cuda:0", 1)
    run.rows(captioner, 4)
    assert captioner.attempt is not None
    assert captioner.attempt.dropped == {"out of range": 1}
    assert captioner.attempt.log.rows == 0


def test_a_model_that_captions_nothing_but_the_probe_image_is_to_blame_in_the_end(
    tmp_path: Path,
) -> None:
    run = RunInMemory(tmp_path / "project", records=5, policy=Policy(poison_in_a_row=2))
    while run.task.state not in ("done", "failed"):
        captioner = run.captioning()
        if run.sent(captioner, Records)[-1].probe:
            run.rows(captioner, *run.outstanding(captioner))
        run.decoding(captioner, *run.outstanding(captioner))
        run.exit(captioner, -11)
        run.turn(run.policy.device_rest)
    assert (run.task.state, run.task.failed, run.task.strikes) == ("failed", 2, 3)


def test_the_probe_image_is_asked_for_only_where_it_is_needed(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project", **TWO_GPUS)  # type: ignore[arg-type]
    pool = run.supervisor.device_pool
    assert pool.needs_probe("cuda:0", 1)
    run.prove("cuda:1")
    assert not pool.needs_probe("cuda:0", 1), "it is on trial, and has records to prove itself by"
    run.prove("cuda:0")
    assert not pool.needs_probe("cuda:0", 1)


def test_kinds_that_the_database_stores_alike_are_one(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    captioner = run.captioning()
    log = captioner.attempt.log if captioner.attempt else None
    assert log is not None
    log.append([failure(0, "\ud800"), failure(1, "\\ud800")])
    run.supervisor.task_runner.update_counts([captioner])
    assert [(row.kind, row.count) for row in run.state.failures[1]] == [("\\ud800", 2)]


def test_a_value_that_cannot_be_kept_fails_its_record(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    captioner = run.captioning()
    run.rows(captioner, CaptionRow(0, "x", 2**31, "stop"), CaptionRow(1, "x" * 2**21, 1, "stop"))
    run.rows(captioner, failure(2, "excluded"), CaptionRow(3, "x", -1, "stop"))
    assert run.task.state == "done"
    assert (run.task.captioned, run.task.failed) == (0, 4)
    assert len(run.sent(captioner, Load)) == 1
    (group,) = run.state.failures[1]
    assert group.kind == "invalid"
    assert [detail for _, detail in group.examples] == [
        "a caption with an impossible number of tokens",
        "a caption of 2,097,152 characters",
        "an error of the kind 'excluded', which no worker has",
        "a caption with an impossible number of tokens",
    ]


def test_results_that_came_too_late_are_reported_and_made_again(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    captioner = run.captioning()
    late = Rows(task=1, attempt=99, rows=(caption(0), caption(1)))
    run.send(captioner, late)
    run.exit(captioner, 1)
    assert [text for text in run.events if text.startswith("ignored 2 results that came after")]
    assert (run.task.state, run.task.captioned) == ("pending", 0)
    run.clock.now += 1000
    run.turn()
    assert {0, 1} <= set(run.outstanding(run.captioning()))
