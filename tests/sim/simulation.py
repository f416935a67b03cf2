"""One schedule: a project, runs with faults, requests in between, and then the calm."""

from __future__ import annotations

import itertools
import json
import logging
import random
import shutil
import traceback
from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import insert, text

from db import projects, requests
from db.connection import DatabaseError, reading, writing
from db.tables import REQUEST
from engine.datasets.exports.export import export
from engine.operations import run_control
from engine.project.lock import ProjectInUse, ProjectLock
from engine.requests.kinds import Exclude, Request, Resume, Retry, Skip, to_payload
from engine.state.policy import Policy
from engine.supervisor.supervisor import Supervisor
from engine.utils.errors import BadInput, RequestRefused
from tests.sim.coverage import Coverage
from tests.sim.database import SimulatedDatabase
from tests.sim.disk import Killed, SimulatedDisk
from tests.sim.faults import Faults
from tests.sim.invariants import Checker, expected_end
from tests.sim.launcher import SimulatedLauncher
from tests.sim.people import NONSENSE, sensible_request
from tests.sim.project import TEMPLATES, base_folder, template
from tests.sim.virtual_time import VirtualTime
from tests.sim.worker import caption_of

POLICY = Policy(
    tick=0.5,
    commit_every=2.5,
    sync_every=5.0,
    sync_rows=3,
    chunk=4,
    device_rest=20.0,
    first_delay=5.0,
    longest_delay=30.0,
    longest_wait=60.0,
    row_limit=30.0,
    cpu_row_limit=30.0,
    load_limit=40.0,
    heartbeat_limit=20.0,
    kill_after=3.0,
    lost_after=8.0,
    disk_floor=1,
    disk_retry=5.0,
    memory_retry=5.0,
    memory_tries=3,
)
"""The product's policy in small: what takes hours takes minutes of virtual time."""
STORM_TURNS, CALM_TURNS = 400, 4_000
"""Turns of the loop after which a run with faults is stopped, and one without counts as endless."""
IDLE_SECONDS = 3 * POLICY.device_rest
"""Seconds for which a device may stand idle beside work that it may do."""
CALM_RUNS = 8
"""Runs without faults within which everything must be done."""


@dataclass
class Result:
    """What became of one schedule."""

    violations: list[str]
    happened: list[tuple[str, int]]
    simulated_seconds: float
    log: list[str]
    """What happened, in order: the same for the same seed, to the letter."""


class Simulation:
    """One schedule, drawn from a seed."""

    def __init__(
        self,
        seed: int,
        only: Set[tuple[str, int]] | None = None,
        coverage: Coverage | None = None,
    ) -> None:
        """`only` leaves out all other faults; `coverage` is told what is decided."""
        self.coverage = coverage
        self.rng = random.Random(f"{seed} course")
        self.faults = Faults(seed, only)
        self.time = VirtualTime()
        self.dead = False
        """True once the present supervisor was killed: nothing that it still does has an effect."""
        self.disk = SimulatedDisk(self.faults, self.rng, self.maybe_die)
        self.database = SimulatedDatabase(self.faults, self.rng, self.maybe_die)
        self.template = template(self.rng.randrange(TEMPLATES))
        self.folder = base_folder() / f"seed-{seed}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.project = self.template.copy(self.folder)
        self.checker = Checker(self.project)
        self.tasks, self.models = self.read_tasks()
        self.devices = self.rng.choice(
            [
                ["cpu:0"],
                ["cuda:0", "cuda:1"],
                ["cuda:0", "cuda:1", "cuda:2"],
                ["a/cuda:0", "b/cuda:0", "b/cuda:1"],
            ]
        )
        self.log: list[str] = []
        self.turns = 0
        self.supervisor: Supervisor | None = None
        self.idle_since: dict[str, float] = {}
        self.moved = False
        self.requests_wait = True
        """True if a request may be waiting in the database."""
        self.changed_shards: dict[Path, bytes] = {}
        """Shard files that were written to, with what they held before."""

    def read_tasks(self) -> tuple[list[int], dict[int, Any]]:
        with reading(self.project.database) as connection:
            return (
                [task.id for task in projects.tasks(connection)],
                {model.id: model for model in projects.models(connection)},
            )

    def maybe_die(self, kind: str) -> None:
        """Kill the supervisor if a fault of this kind happens now; a dead one stays dead."""
        if self.dead:
            raise Killed
        if self.supervisor is not None and self.faults.happens(kind):
            self.kill()

    def kill(self) -> None:
        self.dead = True
        raise Killed

    # One schedule

    def run(self) -> Result:
        with self.simulated_world():
            for number in range(self.rng.randint(1, 6)):
                self.note(f"run {number}: {self.run_once(STORM_TURNS)}")
                self.after_run(f"run {number}")
                if self.checker.violations:
                    break
                if self.faults.happens("request while nothing runs"):
                    self.ask_offline()
            if not self.checker.violations:
                self.calm_down()
        if not self.checker.violations:
            shutil.rmtree(self.folder, ignore_errors=True)
        seconds = self.time.now - 1_000.0
        return Result(self.checker.violations, self.faults.happened, seconds, self.log)

    @contextmanager
    def simulated_world(self) -> Iterator[None]:
        """Put the simulated disk and database in the place of the real ones."""
        names = (
            "engine.state.project_state",
            "engine.requests.handlers",
            "engine.supervisor.supervisor",
        )
        logging.disable(logging.CRITICAL)
        SimulatedLauncher.numbers = itertools.count(1)
        with ExitStack() as stack:
            stack.enter_context(patch("engine.project.caption_log.os", self.disk))
            for name in names:
                stack.enter_context(patch(f"{name}.reading", self.database.reading))
            stack.enter_context(patch("engine.state.project_state.writing", self.database.writing))
            stack.enter_context(
                patch("engine.state.completion.replace_sheared", self.replace_sheared)
            )
            if self.coverage is not None:
                self.coverage.next_schedule()
                self.coverage.watch(stack)
            try:
                yield
            finally:
                logging.disable(logging.NOTSET)

    def replace_sheared(self, path: Path, captions: Any) -> None:
        from engine.project.sheared_file import replace_sheared

        self.maybe_die("supervisor is killed before a write")
        if self.faults.happens("sheared file cannot be written"):
            raise OSError(28, "simulated")
        replace_sheared(path, captions)

    def note(self, line: str) -> None:
        self.log.append(f"{self.time.now:.2f} {line}")

    # One run

    def run_once(self, turns: int) -> str:
        """Run the project until the run ends, is killed or was given so many turns."""
        self.turns = turns
        self.dead = False
        self.idle_since.clear()
        launcher = SimulatedLauncher(
            self.devices,
            self.faults,
            self.time,
            self.rng,
            self.on_turn,
            lambda task, i, weight: self.checker.deaths_alone.update({(task, i): weight}),
            lambda task, i: self.checker.outages_alone.update({(task, i): 1}),
        )
        policy = replace(POLICY, commit_every=self.rng.choice([2.0, 10.0, 30.0]))
        try:
            with ProjectLock(self.project.lock) as lock:
                self.supervisor = Supervisor(
                    self.project,
                    launcher,
                    policy,
                    "simulated",
                    lock=lock,
                    clock=self.time,
                    free_bytes=lambda _: self.disk.free_bytes,
                )
                self.supervisor.device_pool.monitor = launcher
                self.read_requests_when_there_are_some(self.supervisor)
                return "finished" if self.supervisor.run() else "stopped"
        except Killed:
            return "killed"
        except (BadInput, OSError, DatabaseError) as error:
            return f"ended with {type(error).__name__}: {error}"
        except Exception as error:
            where = traceback.format_exc(limit=-3)
            self.checker.violate(f"the run ended with {type(error).__name__}: {error}\n{where}")
            return "crashed"
        finally:
            self.supervisor = None
            self.time.forget()
            self.disk.close_all()
            self.put_back()

    def read_requests_when_there_are_some(self, supervisor: Supervisor) -> None:
        """Spare the query for requests in the turns in which nobody has made one.

        It would be two thirds of all CPU time. What is not proved by this: that a turn without a
        request does no harm.
        """
        answer_requests = supervisor.answer_requests
        self.requests_wait = True

        def answer() -> None:
            if self.requests_wait:
                answer_requests()
                with reading(self.project.database) as connection:
                    self.requests_wait = bool(requests.pending(connection))

        supervisor.answer_requests = answer  # type: ignore[method-assign]

    def put_back(self) -> None:
        """Undo what people did to the project's files."""
        if self.moved:
            aside = self.folder.with_suffix(".aside")
            if self.folder.exists():
                shutil.rmtree(self.folder)
            aside.rename(self.folder)
            self.moved = False

    def on_turn(self) -> None:
        """What happens between two turns of the supervisor's loop."""
        if self.dead:
            raise Killed
        self.turns -= 1
        supervisor = self.supervisor
        assert supervisor is not None
        if self.turns <= 0:
            if self.faults.calm:
                self.checker.violate(f"the run does not end: {self.waits_for(supervisor)}")
            self.kill()
        self.check_idle(supervisor)
        happens = self.faults.happens
        self.maybe_die("supervisor is killed between turns")
        if happens("clock is set back"):
            self.time.epoch_ahead -= self.rng.choice([10.0, 86_400.0, 1e7])
        if happens("clock is set ahead"):
            self.time.epoch_ahead += self.rng.choice([10.0, 86_400.0, 1e7])
        if happens("request to a run"):
            for _ in range(2 if happens("two requests at once") else 1):
                self.ask_live()
        if happens("run is stopped"):
            supervisor.stop(after_shard=self.rng.random() < 0.5)
        if happens("project folder is moved away"):
            self.folder.rename(self.folder.with_suffix(".aside"))
            self.moved = True
        if happens("shard file is written to"):
            path = self.rng.choice(sorted(self.project.shards.glob("*.jsonl")))
            if path not in self.changed_shards:
                self.changed_shards[path] = path.read_bytes()
                path.write_bytes(self.changed_shards[path] + b"no record\n")

    def waits_for(self, supervisor: Supervisor) -> str:
        state = supervisor.project_state
        return (
            f"paused {state.settings.pause_cause}, states {dict(state.ledger.states)}, devices"
            f" {[d.state for d in supervisor.device_pool.devices.values()]},"
            f" models {[(m.name, m.blocked, m.unavailable) for m in state.models.values()]},"
            f" workers {[(w.device, w.state, w.end_cause) for w in supervisor.workers.values()]}"
        )

    def check_idle(self, supervisor: Supervisor) -> None:
        """A device does not stand idle for long beside a task that it may do."""
        state, pool = supervisor.project_state, supervisor.device_pool
        if state.settings.paused or supervisor.stopping:
            self.idle_since.clear()
            return
        busy = {
            worker.device
            for worker in supervisor.workers.values()
            if worker.attempt is not None or worker.state == "loading" or worker.end_cause
        }
        now = self.time.time()
        due = {
            task.model_id
            for task in state.ledger.tasks.values()
            if task.state == "pending" and not now < task.not_before <= now + 1e6
        }
        for device in pool.devices.values():
            may = any(
                model.id in due
                and not model.blocked
                and not model.not_before > now
                and device.pinned_model_id in (None, model.id)
                and pool.may_load(device.id, model.id)
                for model in state.models.values()
            )
            if device.state != "ready" or device.id in busy or not may:
                self.idle_since.pop(device.id, None)
            elif (
                self.time.now - self.idle_since.setdefault(device.id, self.time.now) > IDLE_SECONDS
            ):
                self.checker.violate(f"device {device.id} is idle beside work it may do")
                self.kill()

    # People

    def ask_live(self) -> None:
        """Put a request into the database, as a command does while a run is under way."""
        if self.faults.happens("request that makes no sense"):
            kind, payload = self.rng.choice(NONSENSE)
        else:
            request = sensible_request(self.rng, self.tasks, self.devices, live=True)
            self.remember(request)
            kind, payload = request.kind, to_payload(request)
        self.note(f"asked: {kind} {payload}")
        values = {"created": self.time.time(), "kind": kind, "payload": json.dumps(payload)}
        with suppress(DatabaseError), writing(self.project.database) as connection:
            connection.execute(insert(REQUEST).values(values))
        self.requests_wait = True

    def ask_offline(self) -> None:
        """Have requests carried out while nothing runs."""
        for _ in range(self.rng.randint(1, 4)):
            request = sensible_request(self.rng, self.tasks, self.devices, live=False)
            self.remember(request)
            self.note(f"offline: {request.kind} {to_payload(request)}")
            self.carry_out(request)
        self.disk.close_all()
        self.after_run("requests")

    def carry_out(self, request: Request) -> None:
        try:
            run_control.apply(self.project, request, None, self.time)
        except (RequestRefused, BadInput, DatabaseError, ProjectInUse) as error:
            self.note(f"refused: {error}")
        except Exception as error:
            where = traceback.format_exc(limit=-3)
            self.checker.violate(
                f"{request.kind} ended with {type(error).__name__}: {error}\n{where}"
            )

    def remember(self, request: Request) -> None:
        if isinstance(request, Retry):
            self.checker.redone.update(request.tasks)
        if isinstance(request, Exclude):
            self.checker.excluded = True
        if request.kind == "set":
            self.checker.redone.update(self.tasks)

    def after_run(self, where: str) -> None:
        if self.dead and self.faults.happens("power is cut with the kill"):
            self.note("the power was cut")
            self.disk.cut_power()
        self.dead = False
        self.checker.check(where, self.disk.synced)

    # The calm

    def calm_down(self) -> None:
        """Without faults, undo what people did and run until everything is done."""
        self.faults.calm = True
        for path, data in self.changed_shards.items():
            path.write_bytes(data)
        tasks = tuple(self.tasks)
        self.remember(Retry(tasks=tasks))
        for number in range(CALM_RUNS):
            with writing(self.project.database) as connection:
                connection.execute(text("UPDATE device SET pinned_model_id = NULL"))
            everything = tuple((task, None) for task in tasks)
            self.carry_out(Resume())
            self.carry_out(Skip(tasks=tasks, skip=False))
            self.carry_out(Exclude(records=everything, failed_as="excluded", exclude=False))
            failed = self.failed_tasks()
            if failed:
                self.carry_out(Retry(tasks=failed))
            self.carry_out(Retry(tasks=tasks, failed_items=True))
            outcome = self.run_once(CALM_TURNS)
            self.note(f"calm {number}: {outcome}")
            self.after_run(f"calm {number}")
            if self.checker.violations:
                return
            if number and outcome == "finished" and not self.failed_tasks():
                break
        self.checker.check_end("at the end")
        self.check_export()

    def failed_tasks(self) -> tuple[int, ...]:
        with reading(self.project.database) as connection:
            return tuple(t.id for t in projects.tasks(connection) if t.state == "failed")

    def check_export(self) -> None:
        """The export is that of a run that nothing befell."""
        _, models = self.read_tasks()
        out = self.folder / "out.json"
        try:
            export(self.project, out)
        except Exception as error:
            self.checker.violate(f"the export ended with {type(error).__name__}: {error}")
            return
        expected = [
            {"image": image, "caption": caption_of(model.name, image).rstrip(".")}
            for image in self.template.images
            for model in models.values()
            if expected_end(model, image) == "caption"
        ]
        if json.loads(out.read_text()) != expected:
            self.checker.violate("the export is not that of a run that nothing befell")


def simulate(
    seed: int, only: Set[tuple[str, int]] | None = None, coverage: Coverage | None = None
) -> Result:
    """Run one schedule: that of the seed, or a part of its faults."""
    return Simulation(seed, only, coverage).run()
