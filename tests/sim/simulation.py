"""One schedule: a project, runs with faults, requests in between, and then the calm."""

from __future__ import annotations

import itertools
import logging
import os
import random
import traceback
from collections.abc import Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from db import projects
from db.connection import DatabaseError, reading
from db.rows import ModelRow
from engine.process import identity
from engine.project.lock import ProjectLock
from engine.project.opening import prepare_database
from engine.shearing.shear import Shearing
from engine.state.policy import Policy
from engine.supervisor.supervisor import Supervisor
from engine.utils.errors import BadInput
from tests.sim.calm import CALM_TURNS, calm_down
from tests.sim.commands import Commands
from tests.sim.coverage import Coverage
from tests.sim.damage import Damage
from tests.sim.database import SimulatedDatabase
from tests.sim.disk import Killed, SimulatedDisk
from tests.sim.faults import Faults
from tests.sim.invariants import Checker
from tests.sim.launcher import SimulatedLauncher
from tests.sim.naming import WORD_LIMITS
from tests.sim.process import SimulatedProcess
from tests.sim.project import TEMPLATES, base_folder, template
from tests.sim.scores import is_scorer
from tests.sim.stand_ins import stand_in
from tests.sim.virtual_time import VirtualTime
from tests.sim.watch import RunWatch

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
STORM_RUNS = (2, 12)
"""Runs with faults, at least and at most."""
STORM_TURNS = 400
"""Turns of the loop after which a run with faults is stopped."""
SCORES_FIRST = 0.5
"""The share of projects with a scorer that are captioned before the storm."""
STALL_SECONDS = (5.0, 100.0)
"""For how long a supervisor's process is stopped."""


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
        """True once the present supervisor, or command, was killed: nothing that it still does has
        an effect."""
        self.alive = False
        """True while a process of the product runs, or has just been killed."""
        self.template = template(self.rng.randrange(TEMPLATES))
        self.project = self.template.copy(base_folder() / "project")
        self.checker = Checker(self.project, self.template.shards)
        self.truth = self.checker.truth
        self.disk = SimulatedDisk(
            self.faults,
            self.rng,
            self.time,
            self.maybe_die,
            self.kill,
            self.checker.on_write,
            self.on_damage,
            self.truth.touched_shards,
        )
        self.database = SimulatedDatabase(
            self.faults, self.rng, self.maybe_die, self.truth.answers, self.on_commit
        )
        self.damage = Damage(self.project, self.faults, self.rng, self.disk, self.checker)
        self.devices = self.rng.choice(
            [
                ["cpu:0"],
                ["cuda:0", "cuda:1"],
                ["cuda:0", "cuda:1", "cuda:2"],
                ["a/cuda:0", "b/cuda:0", "b/cuda:1"],
            ]
        )
        self.log: list[str] = []
        self.commands = Commands(self)
        self.turns = 0
        self.only_scores_left = False
        """True if the run is to end once nothing but scores is left to do."""
        self.saved = False
        """True if the last run ended by itself and came to its last commit."""
        self.supervisor: Supervisor | None = None
        self.watch: RunWatch | None = None
        self.learn_tasks()

    def learn_tasks(self) -> None:
        """Read which tasks and models the project has now."""
        with reading(self.project.database) as connection:
            tasks, models = projects.tasks(connection), projects.models(connection)
        self.tasks = [task.id for task in tasks]
        self.models: dict[int, ModelRow] = {model.id: model for model in models}
        self.truth.learn_tasks(list(tasks), self.models)

    def on_damage(self, path: Path) -> None:
        """Note that a log has lost something that had been written."""
        self.note(f"{path.parent.name}/{path.name} is damaged")
        self.checker.forget_durable(path)

    def on_commit(self) -> None:
        """Expect the database to know, since a run's commit, what failed syncs took back."""
        if self.supervisor is not None:
            self.disk.taken_back.clear()

    def maybe_die(self, kind: str | None) -> None:
        """Kill the process if a fault of this kind happens now; a dead one stays dead."""
        if self.dead:
            raise Killed
        if kind is not None and self.faults.happens(kind):
            self.note(kind)
            self.kill()

    def on_file_operation(self, path: str) -> None:
        """Kill the process, perhaps, before it changes a file; a dead one changes none."""
        if self.alive and not self.faults.checking:
            self.checker.check_place(path)
            self.maybe_die("supervisor is killed before a file operation")

    def kill(self) -> NoReturn:
        self.dead = True
        raise Killed

    def note(self, line: str) -> None:
        this = f"process {os.getpid()} on {identity.host_name()}"
        line = line.replace(str(base_folder()), "").replace(this, "the run")
        self.log.append(f"{self.time.now:.2f} {line}")

    # One schedule

    def run(self) -> Result:
        logging.disable(logging.CRITICAL)
        SimulatedLauncher.numbers = itertools.count(1)
        try:
            with stand_in(self):
                self.storm()
                if not self.checker.violations:
                    calm_down(self)
        finally:
            logging.disable(logging.NOTSET)
        seconds = self.time.now - 1_000.0
        return Result(self.checker.violations, self.faults.happened, seconds, self.log)

    def storm(self) -> None:
        if self.has_scorer() and self.rng.random() < SCORES_FIRST:
            self.caption_everything()
        for number in range(self.rng.randint(*STORM_RUNS)):
            self.checker.where = f"run {number}"
            self.note(f"run {number}: {self.run_once(STORM_TURNS)}")
            self.after_process(f"run {number}", self.saved)
            if self.checker.violations:
                return
            self.damage.between_runs()
            self.repair_database()
            if self.faults.happens("request while nothing runs"):
                self.commands.ask_offline()
            if self.faults.happens("captions are sheared in another way"):
                self.commands.shear(Shearing(max_words=self.rng.choice(WORD_LIMITS)))
                self.after_process("shearing")
            if self.checker.violations:
                return

    def has_scorer(self) -> bool:
        return any(is_scorer(model.family) for model in self.models.values())

    def caption_everything(self) -> None:
        """Run without faults until only scores are left: few storms come so far."""
        self.faults.calm = self.only_scores_left = True
        self.checker.where = "before the storm"
        self.note(f"before the storm: {self.run_once(CALM_TURNS)}")
        self.faults.calm = self.only_scores_left = False
        self.after_process("before the storm", self.saved)

    # One run

    def run_once(self, turns: int) -> str:
        """Run the project until the run ends, is killed or was given so many turns."""
        self.turns = turns
        self.dead = False
        self.saved = False
        self.truth.begin_run()
        self.watch = RunWatch(self.project, self.time, self.disk, POLICY, self.stop_at_violation)
        launcher = SimulatedLauncher(
            self.devices,
            self.faults,
            self.time,
            self.rng,
            self.truth,
            self.template.shards,
            self.on_turn,
            self.on_exit,
        )
        policy = replace(POLICY, commit_every=self.rng.choice([2.0, 10.0, 30.0]))
        self.alive = True
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
                self.commands.begin_run(self.supervisor)
                finished = self.supervisor.run()
                self.saved = self.database.saved
                return "finished" if finished else "stopped"
        except Killed:
            return "killed"
        except (BadInput, OSError, DatabaseError) as error:
            return f"ended with {type(error).__name__}: {error}"
        except Exception as error:
            where = traceback.format_exc(limit=-3)
            self.checker.violate(f"the run ended with {type(error).__name__}: {error}\n{where}")
            return "crashed"
        finally:
            self.alive = False
            self.supervisor = None
            self.time.forget()

    def stop_at_violation(self, violation: str) -> None:
        self.checker.violate(violation)
        self.kill()

    def on_exit(self, worker_id: str) -> None:
        """Note what the worker had, whose end the supervisor is about to hear of."""
        assert self.supervisor is not None
        worker = self.supervisor.workers.get(worker_id)
        if worker is None:
            return
        if worker.attempt is not None:
            self.truth.ends[self.truth.names[worker.attempt.task.id]] += 1
        given_up = isinstance(worker.handle, SimulatedProcess) and worker.handle.has_given_up
        if worker.state == "loading" and worker.model_id is not None and not given_up:
            self.truth.load_failures[self.models[worker.model_id].name] += 1

    def on_turn(self) -> None:
        """What happens between two turns of the supervisor's loop."""
        if self.dead:
            raise Killed
        self.turns -= 1
        supervisor = self.supervisor
        assert supervisor is not None and self.watch is not None
        if self.turns <= 0:
            if self.faults.calm:
                waits = self.watch.waits_for(supervisor)
                self.checker.violate(f"the run does not end: {waits}")
            self.kill()
        self.watch.check(supervisor)
        ledger = supervisor.project_state.ledger
        if self.only_scores_left and not ledger.open_captioning.total():
            supervisor.stop()
        happens = self.faults.happens
        self.maybe_die("supervisor is killed between turns")
        if happens("clock is set back"):
            self.time.epoch_ahead -= self.rng.choice([10.0, 86_400.0, 1e7])
        if happens("clock is set ahead"):
            self.time.epoch_ahead += self.rng.choice([10.0, 86_400.0, 1e7])
        if happens("supervisor is stopped for a while"):
            seconds = self.rng.choice(STALL_SECONDS)
            self.time.advance(self.time.now + seconds)
            self.watch.skip(seconds)
        self.commands.during_run(supervisor)
        self.damage.during_run()

    # Between two processes

    def after_process(self, where: str, saved: bool = False) -> None:
        """Clean up after a run or a command, which may have been killed, and check everything.

        `saved` is True if it was a run that came to its last commit.
        """
        killed, self.dead = self.dead, False
        if not killed:
            for path in self.disk.unsynced_since:
                self.checker.violate(f"{path.name} was written to and never synced")
        self.disk.close_all()
        self.damage.put_back()
        self.repair_database()
        with self.faults.none():
            self.checker.check(where, self.disk, saved)
        if killed and self.faults.happens("power is cut with the kill"):
            self.note("the power was cut")
            self.disk.cut_power()
            self.checker.power_was_cut = True
            with self.faults.none():
                self.checker.check(f"power cut after {where}", self.disk, saved=False)
        self.learn_tasks()

    def repair_database(self) -> None:
        """Open the project as every command does: a damaged or deleted database is rebuilt."""
        if not self.database.damaged and self.project.database.exists():
            return
        with self.faults.none():
            prepare_database(self.project)
        self.note("the database was rebuilt")
        self.database.damaged = False
        self.truth.asked.clear()
        self.truth.answers.clear()
        self.learn_tasks()


def simulate(
    seed: int, only: Set[tuple[str, int]] | None = None, coverage: Coverage | None = None
) -> Result:
    """Run one schedule: that of the seed, or a part of its faults."""
    return Simulation(seed, only, coverage).run()
