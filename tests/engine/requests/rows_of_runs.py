"""What pause, resume, stop and retry do."""

from __future__ import annotations

from engine.requests.kinds import Pause, Resume, Retry, Stop
from tests.engine.requests.row import (
    AGAIN,
    ALL_AGAIN,
    BLOCKED,
    DONE,
    DONE_3,
    FAILED,
    RUNNING,
    SKIPPED,
    UNBLOCKED,
    WAITING,
    Row,
)

ROOT_LOST = ("root_lost", "images is not there: is the image root mounted?")
UNPAUSED = {"paused": False, "pause_cause": None}

PAUSE_AND_RESUME = {
    "pause without a run": Row(
        request=Pause(),
        answer="paused",
        live=False,
        changed={"paused": True, "pause_cause": "user"},
        events=("paused by the user",),
    ),
    "pause of a run": Row(
        request=Pause(),
        answer="paused",
        live=True,
        changed={"paused": True, "pause_cause": "user"},
        told=[("on_paused",)],
        events=("paused by the user",),
    ),
    "pause while paused": Row(request=Pause(), answer="it is paused already", paused=("user",)),
    "pause of a run that paused itself": Row(
        request=Pause(),
        answer="it was paused already; now it stays paused until 'resume'",
        paused=("disk_full", "the disk is full"),
        changed={"pause_cause": "user"},
        events=("paused by the user",),
    ),
    "resume while not paused": Row(request=Resume(), answer="it is not paused"),
    "resume of a model that waits": Row(
        request=Resume(),
        answer="it is not paused; tries served again",
        models={2: WAITING},
        changed={"models": {2: {"not_before": 0.0}}},
        events=("tried again by the user: served",),
    ),
    "resume after a pause": Row(
        request=Resume(),
        answer="resumed",
        paused=("user",),
        models={2: WAITING},
        changed=UNPAUSED | {"models": {2: {"not_before": 0.0}}},
        events=("resumed by the user",),
    ),
    "resume without the image root": Row(
        request=Resume(),
        answer="resumed",
        live=False,
        paused=ROOT_LOST,
        witness="gone.png",
        changed=UNPAUSED | {"witness": None},
        events=("resumed by the user",),
    ),
    "resume of a run without the image root": Row(
        request=Resume(),
        answer="resumed",
        live=True,
        paused=ROOT_LOST,
        witness="gone.png",
        changed=UNPAUSED | {"witness": None},
        told=[("forget_witness",)],
        events=("resumed by the user",),
    ),
    "resume with the image root back": Row(
        request=Resume(),
        answer="resumed",
        paused=ROOT_LOST,
        witness="there.png",
        changed=UNPAUSED,
        events=("resumed by the user",),
    ),
    "resume after another pause with the same words": Row(
        request=Resume(),
        answer="resumed",
        paused=("cannot_write", ROOT_LOST[1]),
        witness="gone.png",
        changed=UNPAUSED,
        events=("resumed by the user",),
    ),
    "stop without a run": Row(request=Stop(), answer="nothing is running", live=False),
    "stop": Row(
        request=Stop(),
        answer="stopped",
        live=True,
        told=[("stop", False)],
        events=("stop requested",),
    ),
    "stop after the running shards": Row(
        request=Stop(after_shard=True),
        answer="stops after the running shards",
        live=True,
        told=[("stop", True)],
        events=("stop requested after the running shards",),
    ),
}

RETRY = {
    "retry of a done shard": Row(
        request=Retry(tasks=[1]),
        answer="retry of 1 task",
        tasks={1: DONE},
        changed={"tasks": {1: ALL_AGAIN}},
        events=("retry of 1 task: 00000 dry-run",),
    ),
    "retry of a failed shard": Row(
        request=Retry(tasks=[2]),
        answer="retry of 1 task",
        tasks={2: FAILED | {"captioned": 1, "left": 3, "log_bytes": 7, "not_before": 2e6}},
        changed={"tasks": {2: AGAIN | {"redo": "failed", "redo_from": 7, "left": 3, "asked": 3}}},
        events=("retry of 1 task: 00001 dry-run",),
    ),
    "retry of a failed shard in the middle of a redo": Row(
        request=Retry(tasks=[1]),
        answer="retry of 1 task",
        tasks={1: FAILED | {"captioned": 4, "left": 2, "redo": "all", "redo_from": 50}},
        changed={"tasks": {1: AGAIN}},
        events=("retry of 1 task: 00000 dry-run",),
    ),
    "retry of a skipped and a pending shard": Row(
        request=Retry(tasks=[1, 5]),
        answer="retry of 2 tasks",
        tasks={1: SKIPPED, 5: {"strikes": 2, "not_before": 2e6}},
        changed={"tasks": {1: AGAIN, 5: AGAIN}},
        events=("retry of 2 tasks: 00000 dry-run, 00001 served",),
    ),
    "retry of a running shard": Row(
        request=Retry(tasks=[1]),
        answer="nothing to retry: no tasks that are not running among the 1 task chosen",
        tasks={1: RUNNING},
    ),
    "retry of many": Row(
        request=Retry(tasks=[6, 5, 4, 3, 2, 1, 6]),
        answer="retry of 6 tasks",
        changed={"tasks": {n: AGAIN for n in range(1, 7)}},
        events=(
            "retry of 6 tasks: 00002 served, 00001 served, 00000 served, 00002 dry-run,"
            " 00001 dry-run, ...",
        ),
    ),
    "retry of failed records": Row(
        request=Retry(tasks=[1, 2, 3], failed_items=True),
        answer=(
            "retry of the failed records of 1 task; 2 left as they are (running, or nothing failed)"
        ),
        tasks={1: DONE_3, 2: DONE, 3: RUNNING | {"failed": 1}},
        changed={"tasks": {1: AGAIN | {"redo": "failed", "redo_from": 99, "left": 1, "asked": 1}}},
        events=("retry of the failed records of 1 task: 00000 dry-run",),
    ),
    "retry of failed records where none failed": Row(
        request=Retry(tasks=[1], failed_items=True),
        answer="nothing to retry: no failed records among the 1 task chosen",
        tasks={1: DONE},
    ),
    "retry of a blocked model's shard": Row(
        request=Retry(tasks=[1]),
        answer="retry of 1 task",
        models={1: BLOCKED, 2: BLOCKED},
        changed={"tasks": {1: AGAIN}, "models": {1: UNBLOCKED}},
        events=("retry of 1 task: 00000 dry-run",),
    ),
    "retry of a waiting model's shard": Row(
        request=Retry(tasks=[4]),
        answer="retry of 1 task",
        models={2: WAITING},
        changed={"tasks": {4: AGAIN}, "models": {2: {"not_before": 0.0}}},
        events=("retry of 1 task: 00000 served",),
    ),
    "retry of no task": Row(
        request=Retry(tasks=[]),
        answer="nothing to retry: no tasks that are not running among the 0 tasks chosen",
    ),
    "retry of a task that is none": Row(
        request=Retry(tasks=[1, 7]),
        answer="tasks: there is no task 7",
        state="refused",
        tasks={1: DONE},
    ),
}
