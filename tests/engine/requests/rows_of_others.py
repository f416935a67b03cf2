"""What all requests but pause, resume, stop, retry and exclude do."""

from __future__ import annotations

from dataclasses import replace

from db.rows import Rating
from engine.captioners.registry import choose
from engine.requests.kinds import AddModel, Configure, Flag, Pin, Prioritise, Rate, Skip, Wake
from tests.engine.requests.row import (
    BLOCKED,
    DONE,
    FAILED,
    RUNNING,
    SKIPPED,
    UNBLOCKED,
    WAITING,
    Row,
)

DRY_RUN = choose("dry-run").settings_hash
SERVED = choose("served=http://localhost:8000/v1").settings_hash

SKIP_AND_PRIORITY = {
    "skip": Row(
        request=Skip(tasks=[1, 2, 3, 4]),
        answer="skipped: 2 tasks",
        tasks={2: FAILED, 3: DONE, 4: RUNNING},
        changed={"tasks": {1: SKIPPED, 2: SKIPPED}},
        events=("skipped: 2 tasks: 00000 dry-run, 00001 dry-run",),
    ),
    "skip of nothing": Row(request=Skip(tasks=[1]), answer="nothing to skip", tasks={1: DONE}),
    "unskip": Row(
        request=Skip(tasks=[1, 2], skip=False),
        answer="no longer skipped: 1 task",
        tasks={1: SKIPPED | {"strikes": 2, "not_before": 2e6}, 2: FAILED},
        changed={"tasks": {1: {"state": "pending", "strikes": 0, "not_before": 0.0}}},
        events=("no longer skipped: 1 task: 00000 dry-run",),
    ),
    "unskip of nothing": Row(
        request=Skip(tasks=[1], skip=False), answer="nothing is skipped among the chosen"
    ),
    "skip of a task that is none": Row(
        request=Skip(tasks=[1, 0]), answer="tasks: there is no task 0", state="refused"
    ),
    "priority": Row(
        request=Prioritise(tasks=[1], by=1),
        answer="priority 1: 00000 dry-run",
        changed={"tasks": {1: {"priority": 1}}},
    ),
    "priority of several": Row(
        request=Prioritise(tasks=[1, 2, 3, 1], by=-2),
        answer="priority -2, 3: 00000 dry-run, 00001 dry-run; 1 are not pending",
        tasks={2: {"priority": 5}, 3: DONE},
        changed={"tasks": {1: {"priority": -2}, 2: {"priority": 3}}},
    ),
    "priority of what does not wait": Row(
        request=Prioritise(tasks=[1, 2], by=1),
        answer="only pending tasks have a priority",
        state="refused",
        tasks={1: DONE, 2: RUNNING},
    ),
    "priority of a task that is none": Row(
        request=Prioritise(tasks=[99], by=1), answer="tasks: there is no task 99", state="refused"
    ),
}

FLAGS = {
    "flag": Row(
        request=Flag(records=[(0, 1), (2, 3)], flagged=True),
        answer="flagged: 00000/1, 00002/3",
        changed={"flags": {(0, 1), (2, 3)}},
    ),
    "flag of many": Row(
        request=Flag(records=[(n, i) for n in range(2) for i in range(3)], flagged=True),
        answer="flagged: 6 records",
        changed={"flags": {(n, i) for n in range(2) for i in range(3)}},
    ),
    "flag of what is flagged": Row(
        request=Flag(records=[(0, 1)], flagged=True),
        answer="flagged already",
        flags=frozenset({(0, 1)}),
    ),
    "unflag": Row(
        request=Flag(records=[(0, 1), (0, 2)], flagged=False),
        answer="no longer flagged: 00000/1",
        flags=frozenset({(0, 1)}),
        changed={"flags": set()},
    ),
    "unflag of what is not flagged": Row(
        request=Flag(records=[(0, 1)], flagged=False), answer="not flagged"
    ),
    "flag of captions": Row(
        request=Flag(records=[(0, 1), (2, 3)], flagged=True, model="served", reason="no dog"),
        answer="served: flagged: 00000/1, 00002/3",
        flags=frozenset({(0, 1)}),
        changed={
            "ratings": {
                ((0, 1, 2, SERVED), Rating(False, "no dog")),
                ((2, 3, 2, SERVED), Rating(False, "no dog")),
            }
        },
    ),
    "flag of an original": Row(
        request=Flag(records=[(0, 1)], flagged=True, model="original"),
        answer="original: flagged: 00000/1",
        changed={"ratings": {((0, 1, 0, ""), Rating(False, ""))}},
    ),
    "flag of a caption for another reason": Row(
        request=Flag(records=[(0, 1), (0, 2)], flagged=True, model="dry-run", reason="b"),
        answer="dry-run: flagged: 00000/2",
        ratings={
            (0, 1, 1, DRY_RUN): Rating(False, "b"),
            (0, 2, 1, DRY_RUN): Rating(False, "a"),
            (0, 2, 2, SERVED): Rating(False, "a"),
        },
        changed={
            "ratings": {
                ((0, 1, 1, DRY_RUN), Rating(False, "b")),
                ((0, 2, 1, DRY_RUN), Rating(False, "b")),
                ((0, 2, 2, SERVED), Rating(False, "a")),
            },
        },
    ),
    "flag of a caption that is flagged for this reason": Row(
        request=Flag(records=[(0, 1)], flagged=True, model="dry-run", reason="a"),
        answer="flagged already",
        ratings={(0, 1, 1, DRY_RUN): Rating(False, "a")},
    ),
    "unflag of a caption": Row(
        request=Flag(records=[(0, 1), (0, 2)], flagged=False, model="dry-run"),
        answer="dry-run: no longer flagged: 00000/1",
        flags=frozenset({(0, 1)}),
        ratings={(0, 1, 1, DRY_RUN): Rating(False, "a"), (0, 1, 2, SERVED): Rating(False, "a")},
        changed={"ratings": {((0, 1, 2, SERVED), Rating(False, "a"))}},
    ),
    "flag of captions turned over": Row(
        request=Flag(records=[(0, 1), (0, 2)], flagged=None, model="dry-run", reason="b"),
        answer="dry-run: flagged: 00000/2; no longer flagged: 00000/1",
        ratings={(0, 1, 1, DRY_RUN): Rating(False, "a")},
        changed={"ratings": {((0, 2, 1, DRY_RUN), Rating(False, "b"))}},
    ),
    "rate": Row(
        request=Rate(records=[(0, 1), (2, 3)], model="served", good=True, reason="exact"),
        answer="served: rated good: 00000/1, 00002/3",
        ratings={(0, 1, 2, SERVED): Rating(False, "no dog")},
        changed={
            "ratings": {
                ((0, 1, 2, SERVED), Rating(True, "exact")),
                ((2, 3, 2, SERVED), Rating(True, "exact")),
            },
        },
    ),
    "rate again": Row(
        request=Rate(records=[(0, 1)], model="original", good=False),
        answer="original: rated bad already",
        ratings={(0, 1, 0, ""): Rating(False, "")},
    ),
    "rate captions of other settings": Row(
        request=Rate(records=[(0, 1)], model="served", good=False, settings_hash="abc"),
        answer="served: rated bad: 00000/1",
        changed={"ratings": {((0, 1, 2, "abc"), Rating(False, ""))}},
    ),
    "rate no more": Row(
        request=Rate(records=[(0, 1), (0, 2)], model="dry-run", good=None),
        answer="dry-run: no longer rated: 00000/1",
        ratings={(0, 1, 1, DRY_RUN): Rating(True, "a")},
        changed={"ratings": set()},
    ),
    "rate no more what is not rated": Row(
        request=Rate(records=[(0, 1)], model="dry-run", good=None), answer="dry-run: not rated"
    ),
    "rate a caption of no model": Row(
        request=Rate(records=[(0, 1)], model="blip", good=True),
        answer="there are no captions of 'blip', only of original, dry-run, served",
        state="refused",
    ),
    "flag of a caption of no model": Row(
        request=Flag(records=[(0, 1)], flagged=True, model="blip"),
        answer="there are no captions of 'blip', only of original, dry-run, served",
        state="refused",
    ),
    "flag of a record for a reason": Row(
        request=Flag(records=[(0, 1)], flagged=True, reason="a"),
        answer="a reason needs a caption: name the model of the caption",
        state="refused",
    ),
    "flags turned over": Row(
        request=Flag(records=[(0, 1), (0, 2)], flagged=None),
        answer="flagged: 00000/2; no longer flagged: 00000/1",
        flags=frozenset({(0, 1)}),
        changed={"flags": {(0, 2)}},
    ),
    "flag beyond the shard": Row(
        request=Flag(records=[(0, 1), (0, 4)], flagged=True),
        answer="there is no record 0/4",
        state="refused",
    ),
    "flag beyond the shards": Row(
        request=Flag(records=[(3, 0)], flagged=True),
        answer="there is no record 3/0",
        state="refused",
    ),
}

DEVICES = {
    "pin without a run": Row(
        request=Pin(device="cuda:0", model="served"),
        answer="nothing is running: pin a device while it works",
        state="refused",
        live=False,
    ),
    "pin": Row(
        request=Pin(device="cuda:0", model="served"),
        answer="cuda:0 now works on served",
        live=True,
        changed={"devices": {"cuda:0": {"pinned_model_id": 2}}},
    ),
    "pin to a model that is done": Row(
        request=Pin(device="cuda:0", model="served"),
        answer="cuda:0 now works on served, of which nothing is left to caption: the device waits",
        live=True,
        tasks={4: DONE, 5: DONE, 6: SKIPPED},
        changed={"devices": {"cuda:0": {"pinned_model_id": 2}}},
    ),
    "unpin": Row(
        request=Pin(device="cuda:0"),
        answer="cuda:0 takes any model",
        live=True,
    ),
    "pin to a model that is none": Row(
        request=Pin(device="cuda:0", model="[/x]"),
        answer="the project has no model '[/x]'",
        state="refused",
    ),
    "pin of a device that is none": Row(
        request=Pin(device="cuda:9", model="served"),
        answer="the run has no device 'cuda:9': it has cuda:0, cuda:1",
        state="refused",
        live=True,
    ),
    "wake without a run": Row(
        request=Wake(device="cuda:1"), answer="nothing is running", state="refused", live=False
    ),
    "wake": Row(
        request=Wake(device="cuda:1"),
        answer="cuda:1 is awake",
        live=True,
        changed={"devices": {"cuda:1": {"state": "ready", "rest_until": 0.0}}},
    ),
    "wake of a device that is none": Row(
        request=Wake(device="cuda:9"),
        answer="the run has no device 'cuda:9': it has cuda:0, cuda:1",
        state="refused",
        live=True,
    ),
}

NEW = choose("second=http://localhost:9000/v1")
MODELS = {
    "set while it runs": Row(
        request=Configure(model="served", changes={"batch": "4"}),
        answer="the project is running: stop it, set, then run it again",
        state="refused",
        live=True,
    ),
    "set of a model that is none": Row(
        request=Configure(model="other", changes={"batch": "4"}),
        answer="the project has no model 'other'",
        state="refused",
    ),
    "set of a setting that is none": Row(
        request=Configure(model="dry-run", changes={"colour": "red"}),
        answer="dry-run has no setting 'colour': it has alpha, exif, jpeg_end, batch,"
        " limits, preset",
        state="refused",
        live=False,
    ),
    "set to no value": Row(
        request=Configure(model="dry-run", changes={"batch": "many"}),
        answer="batch must be a whole number from 1 to 65536, or auto, not 'many'",
        state="refused",
        live=False,
    ),
    "set of what changes no caption": Row(
        request=Configure(model="dry-run", changes={"batch": "4"}),
        answer="dry-run: set batch=4; captions stay as they are",
        live=False,
        models={1: BLOCKED | WAITING},
        tasks={1: DONE},
        changed={
            "models": {
                1: UNBLOCKED
                | {"unavailable": None, "unavailable_cause": None, "not_before": 0.0}
                | {"settings": choose("dry-run", None, {"batch": "4"}).settings}
            }
        },
        events=("set batch=4; captions stay as they are",),
    ),
    "a model that the project has": Row(
        request=AddModel(choice=choose("dry-run")),
        answer="the project has dry-run already",
        state="refused",
    ),
    "add a model while it runs": Row(
        request=AddModel(choice=NEW),
        answer="the project is running: stop it, add the model, then run it again",
        state="refused",
        live=True,
    ),
    "add a model of no family": Row(
        request=AddModel(choice=replace(NEW, family="parrot")),
        answer="choice.family: there is no family 'parrot'",
        state="refused",
        live=False,
    ),
    "add a model without an address": Row(
        request=AddModel(choice=replace(NEW, checkpoint=None)),
        answer="choice.checkpoint: endpoint needs one or takes none",
        state="refused",
        live=False,
    ),
    "add a model with a setting of another type": Row(
        request=AddModel(choice=replace(NEW, settings=NEW.settings | {"seed": "7"})),
        answer="choice.settings: Expected `int`, got `str` - at `$.seed`",
        state="refused",
        live=False,
    ),
    "add a model with the hash of other settings": Row(
        request=AddModel(choice=replace(NEW, settings_hash="../../x")),
        answer="choice.settings_hash: these settings have another hash",
        state="refused",
        live=False,
    ),
}
