"""Going through the lives of a shard, and through all that a crash may leave at each instant.

A scene is a disk together with what has been promised of it. Lives are sequences of steps; each
step that is taken is recorded, and the process is killed, or the power cut, after each of its file
operations. The recovery from such a crash is recorded in its turn, may itself be cut off, and life
goes on from what it made.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from tests.sim.crash.checks import (
    Promises,
    check_crashed,
    check_ended,
    check_recovered,
    promises_of,
)
from tests.sim.crash.legal_states import states_after_power_cut
from tests.sim.crash.lives import DAMAGE, DAMAGED, REBUILD, STEPS, make_project
from tests.sim.crash.operations import (
    FOLDER,
    Disk,
    Operation,
    Rename,
    SyncFile,
    SyncFolder,
    Unlink,
)
from tests.sim.crash.recorder import Recorder
from tests.sim.crash.recovery import DATABASE, Workshop
from tests.sim.project import MEMORY

T = TypeVar("T")

LIVES_SHARE, RECOVERIES_SHARE = 0.6, 0.25
"""Shares of the states that are looked at in lives and in recoveries; the others come in lives that
go on after a crash."""


@dataclass(frozen=True)
class Scene:
    """A disk, what has been promised of it, and how it came to be."""

    disk: Disk
    promises: Promises
    story: tuple[str, ...]
    """What happened, step by step, for the report of a violation."""

    def after(self, operation: Operation) -> Scene:
        disk = self.disk.after(operation)
        promises = self.promises
        if isinstance(operation, SyncFile | SyncFolder):
            promises |= promises_of(disk)
        return Scene(disk, promises, self.story)

    def told(self, text: str) -> Scene:
        return Scene(self.disk, self.promises, (*self.story, text))


@dataclass
class Report:
    """What was explored."""

    states: int = 0
    """Crash states that were made."""
    distinct: int = 0
    """Those that no other one was equal to: the recovery ran on each."""
    steps: int = 0
    """Steps of lives that were taken."""
    ends: int = 0
    """Runs after a recovery that were taken to their end."""
    by_life: Counter[str] = field(default_factory=Counter)
    """Distinct crash states by what was going on."""
    by_operation: Counter[str] = field(default_factory=Counter)
    """Distinct crash states by the kind of the operation before the crash."""
    violations: list[str] = field(default_factory=list)


class Exploration:
    """One search for a crash that the product does not survive."""

    def __init__(
        self, states: int, stop_at: int = 10, most: int = 48, most_ends: int = 400
    ) -> None:
        """Look at up to so many distinct states, up to `most` of each instant.

        `stop_at` violations end it. `most_ends` runs are taken to their end.
        """
        self.wanted = states
        self.stop_at = stop_at
        self.most = most
        self.most_ends = most_ends
        self.report = Report()
        self.seen: set[int] = set()
        """Hashes of the keys of the crash states that were looked at."""
        self.recovered: dict[int, tuple[Scene, list[Operation]]] = {}
        """Crash states with what their recovery did, if it did anything but commit."""
        self.outcomes: dict[int, Scene] = {}
        """Scenes after a recovery, each once, by key."""
        self.workshop: Workshop

    @contextmanager
    def ready(self) -> Iterator[Scene]:
        """Make the project and give the scene in which its life begins."""
        base = Path(tempfile.mkdtemp(prefix="crash-", dir=MEMORY if MEMORY.is_dir() else None))
        logging.disable(logging.CRITICAL)
        try:
            folder = base / "p"
            make_project(folder)
            recorder = Recorder(folder)
            with recorder.installed():
                self.workshop = Workshop(recorder, folder)
                yield self.first_scene(recorder)
        finally:
            logging.disable(logging.NOTSET)
            shutil.rmtree(base)

    def first_scene(self, recorder: Recorder) -> Scene:
        entries: dict[str, int] = {}
        contents: dict[int, bytes] = {}
        folder = self.workshop.folder
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            if not recorder.is_recorded(name):
                continue
            entries[name] = FOLDER
            if path.is_file():
                entries[name] = number = len(contents) + 1
                contents[number] = path.read_bytes()
        self.workshop.present = Disk(entries, contents).visible()
        self.workshop.read(contents[entries[DATABASE]])
        return Scene(Disk(entries, contents), frozenset(), ())

    # Keys

    def key(self, scene: Scene, killed: bool) -> object:
        """Return what two scenes must have in common to be the same to the product."""
        disk = scene.disk
        names = {file: path for path, file in disk.visible_entries().items() if file != FOLDER}
        loose: object = None
        if killed:
            loose = (
                frozenset(
                    (names.get(file), data, disk.contents.get(file))
                    for file, data in ((f, content_only(d)) for f, d in disk.loose_data.items())
                ),
                tuple(without_numbers(disk)),
            )
        files = frozenset(disk.visible().items())
        return files, scene.promises, loose

    # Lives

    def explore(
        self, first: Scene, depth: int, lives: Sequence[Sequence[str]] | None = None
    ) -> None:
        """Look at crashes in lives of up to `depth` steps, in recoveries, and in lives after.

        `lives` are sequences of steps that are taken instead of all lives.
        """
        if lives is None:
            self.live(first, depth, self.wanted * LIVES_SHARE)
        for life in lives or ():
            scene = first
            for number, step in enumerate(life, start=1):
                scene = self.take(scene, step, f"life, step {number}", self.wanted)
        crashed = [scene for scene, _ in self.recovered.values()]
        self.crash_again(depth, self.wanted * (LIVES_SHARE + RECOVERIES_SHARE))
        half = self.report.distinct + (self.wanted - self.report.distinct) / 2
        self.live_on(crashed, "life after a crash, without a run before", half)
        self.live_on(self.outcomes.values(), "life after a crash", self.wanted)
        self.finish()

    def live(self, first: Scene, depth: int, until: float) -> None:
        """Take every step in every scene that up to `depth` steps lead to, and crash in each."""
        scenes = {self.key(first, killed=True): first}
        for number in range(1, depth + 1):
            reached: dict[object, Scene] = {}
            for scene in scenes.values():
                for step in STEPS:
                    after = self.take(scene, step, f"life, step {number}", until)
                    reached.setdefault(self.key(after, killed=True), after)
            scenes = {key: scene for key, scene in reached.items() if key not in scenes}

    def take(self, scene: Scene, step: str, label: str, until: float) -> Scene:
        """Take a step, crash at every instant of it, and return the scene at its end."""
        told = scene.told(step)
        if (
            step == DAMAGE
        ):  # nobody has promised that its captions survive, or that of a crash in it
            told = Scene(scene.disk, frozenset(), told.story)
            until = 0.0
        if step == REBUILD and DAMAGE in scene.story:
            return told  # the digest is lost with the database: the damage may be the truth
        if self.enough_violations:
            return told
        self.report.steps += 1
        try:
            operations = self.workshop.live(step, scene.disk)
        except Exception as error:
            self.violate(told, [f"{step} ends with {type(error).__name__}: {error}"])
            return scene
        after = self.play(told, operations)
        if step == "run" and (wrong := self.check_run(scene, after)):
            self.violate(after, wrong)
        if self.report.distinct < until:
            for crashed, killed, kind in self.crashes(told, operations):
                self.look_at(crashed, killed, kind, label)
        return after

    def check_run(self, before: Scene, after: Scene) -> list[str]:
        """Check that a run has done everything, and what was asked for before it."""
        saved = self.workshop.read(after.disk.visible()[DATABASE] or b"").saved
        database = before.disk.visible().get(DATABASE)
        if database is None or database == DAMAGED:  # and with it, what was asked for is lost
            asked = saved
        else:
            asked = self.workshop.read(database).saved
        return check_ended(asked, saved, after.disk.visible(), after.promises)

    def crash_again(self, depth: int, until: float) -> None:
        """Crash in the recoveries from what was looked at so far, in those from that, and so on."""
        for number in range(2, depth + 1):
            todo, self.recovered = self.recovered, {}
            level = self.report.distinct + (until - self.report.distinct) / (depth + 1 - number)
            for scene, operations in evenly(todo.values(), kind_of_recovery):
                if self.report.distinct >= level or self.enough:
                    break
                for crashed, killed, kind in self.crashes(scene.told("recovery"), operations):
                    self.look_at(crashed, killed, kind, f"crash {number}")

    def live_on(self, scenes: Iterable[Scene], label: str, until: float) -> None:
        """Take every step in each of these scenes, and crash in it."""
        for scene in evenly(list(scenes), kind_of_scene):
            for step in STEPS:
                if self.report.distinct >= until or self.enough:
                    return
                self.take(scene, step, label, until)

    def finish(self) -> None:
        """Recover a second time and run to the end, from a part of what recoveries made."""
        for scene in evenly(self.outcomes.values(), kind_of_scene)[: self.most_ends]:
            if self.enough_violations:
                return
            self.report.ends += 1
            wrong = self.check_end(scene)
            if wrong:
                self.violate(scene, wrong)

    def check_end(self, scene: Scene) -> list[str]:
        """Check that nothing is left that stops the next run, which does all that is left."""
        try:
            again = self.workshop.recover(scene.disk)
            if again.state.ledger.changed():
                return ["a second recovery changes what the first one made"]
            operations = self.workshop.live("run", scene.disk)
        except Exception as error:
            return [f"the next run ends with {type(error).__name__}: {error}"]
        return self.check_run(scene, self.play(scene, operations))

    # Crashes

    def crashes(
        self, scene: Scene, operations: Sequence[Operation]
    ) -> Iterator[tuple[Scene, bool, str]]:
        """Yield (scene, True if killed, kind of operation) for each crash during operations."""
        now = scene
        for number in range(len(operations) + 1):
            if self.enough:
                return
            kind = "start"
            if number:
                operation = operations[number - 1]
                now = now.after(operation)
                kind = type(operation).__name__
            where = f"after operation {number} of {len(operations)} ({kind})"
            yield now.told(f"killed {where}"), True, kind
            for k, disk in enumerate(states_after_power_cut(now.disk, self.most)):
                cut = Scene(disk, now.promises, now.story)
                yield cut.told(f"power cut {where}, state {k}"), False, kind

    def look_at(self, scene: Scene, killed: bool, kind: str, label: str) -> None:
        """Check a crash state and its recovery, unless an equal one was looked at."""
        self.report.states += 1
        key = hash(self.key(scene, killed))
        if key in self.seen:
            return
        self.seen.add(key)
        self.report.distinct += 1
        self.report.by_life[label] += 1
        self.report.by_operation[kind] += 1
        self.recover(scene, key, killed)

    def recover(self, scene: Scene, key: int, killed: bool) -> None:
        """Run the recovery on a crash state, and check it."""
        before = scene.disk.visible()
        lossless = killed and not any(text.startswith("power cut") for text in scene.story)
        wrong = check_crashed(before, self.workshop, lossless)
        try:
            recovered = self.workshop.recover(scene.disk)
        except Exception as error:
            self.violate(scene, [*wrong, f"the recovery ends with {type(error).__name__}: {error}"])
            return
        outcome = self.play(scene, recovered.operations).told("recovery")
        after = outcome.disk.visible()
        wrong += check_recovered(before, after, recovered, self.workshop, scene.promises)
        if wrong:
            self.violate(scene, wrong)
            return
        if len(recovered.operations) > 1:
            self.recovered[key] = scene, recovered.operations
        self.outcomes.setdefault(hash(self.key(outcome, killed)), outcome)

    def play(self, scene: Scene, operations: Sequence[Operation]) -> Scene:
        for operation in operations:
            scene = scene.after(operation)
        return scene

    def violate(self, scene: Scene, wrong: Sequence[str]) -> None:
        self.report.violations.append("; ".join(wrong) + "\n    " + ", ".join(scene.story))

    @property
    def enough_violations(self) -> bool:
        return len(self.report.violations) >= self.stop_at

    @property
    def enough(self) -> bool:
        return self.report.distinct >= self.wanted or self.enough_violations


def evenly(items: Iterable[T], kind: Callable[[T], object]) -> list[T]:
    """Return the items in another order: the first of each kind, then the second of each, ..."""
    kinds: dict[object, list[T]] = {}
    for item in items:
        kinds.setdefault(kind(item), []).append(item)
    return [item for rank in zip_longest(*kinds.values()) for item in rank if item is not None]


def kind_of_scene(scene: Scene) -> object:
    """Return what is loose on the disk of a scene, and what had happened to it."""
    data = tuple(
        tuple(type(operation) for operation in done) for done in scene.disk.loose_data.values()
    )
    crash = next((text.split(" ")[0] for text in reversed(scene.story) if "after op" in text), "")
    steps = tuple(text for text in scene.story if text in STEPS)
    return crash, data, len(scene.disk.loose_entries), steps


def kind_of_recovery(item: tuple[Scene, list[Operation]]) -> object:
    scene, operations = item
    data = bool(scene.disk.loose_data), bool(scene.disk.loose_entries)
    return data, tuple(type(operation) for operation in operations)


def content_only(done: Sequence[object]) -> object:
    return tuple(
        (getattr(op, "offset", -1), getattr(op, "data", getattr(op, "size", None))) for op in done
    )


def without_numbers(disk: Disk) -> Iterator[tuple[str, ...]]:
    for op in disk.loose_entries:
        if isinstance(op, Rename):
            yield "rename", op.old, op.new
        else:
            yield "unlink" if isinstance(op, Unlink) else "link", op.path
