"""Commands and screens beside a simulated run, and while nothing runs."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import insert

from db import projects, requests
from db.connection import DatabaseError, reading, writing
from db.rows import RequestRow
from db.tables import REQUEST
from engine.operations import run_control
from engine.operations.reshear import reshear_locked
from engine.project.damage import DamagedFiles
from engine.project.lock import ProjectInUse, ProjectLock
from engine.requests.changes import UNDOABLE_KINDS
from engine.requests.kinds import Pin, Request, Retry, Skip, Undo, parse_request, to_payload
from engine.shearing.shear import Shearing
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.task_ledger import TaskLedger
from engine.supervisor.supervisor import Supervisor
from engine.utils.errors import BadInput, RequestRefused
from tests.sim.disk import Killed
from tests.sim.naming import SHARD_SIZE
from tests.sim.people import NONSENSE, SERVER, ask_again, remember, sensible_request
from tui.viewmodel.snapshot_reader import read_snapshot

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation

REFUSALS = (RequestRefused, BadInput, DatabaseError, ProjectInUse)
"""What a command may end with: each is one message for its user."""

KEPT_FOR_SCORES = 0.6
"""The share of runs with a scorer and several devices that keep the last device for it."""
UNDONE = 0.15
"""The share of requests that take back an earlier one, if there is one."""
UNDONE_AMONG = 2
"""Among how many of the newest requests the one that is undone is chosen."""
CLOSED_AGAIN = 0.2
"""The share of tasks retried beside a scorer that are left out at once, as they are."""


class Commands:
    """What people do with one simulated project."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.project = simulation.project
        self.rng = simulation.rng
        self.happens = simulation.faults.happens
        self.waiting = True
        """True if a request may be waiting in the database."""

    def begin_run(self, supervisor: Supervisor) -> None:
        """Do what people may do before the first turn of a run."""
        self.skip_empty_queries(supervisor)
        devices, scorers = self.simulation.devices, supervisor.project_state.ledger.scorers
        may_keep_one = scorers and len(devices) > 1 and not self.simulation.faults.calm
        # Otherwise no device would score before all captions are there.
        if may_keep_one and self.rng.random() < KEPT_FOR_SCORES:
            scorer = self.simulation.models[min(scorers)]
            self.ask(Pin(device=devices[-1], model=scorer.name))

    def skip_empty_queries(self, supervisor: Supervisor) -> None:
        """Spare a run the query for requests in the turns in which nobody has made one.

        It would be two thirds of all CPU time. What is not proved by this: that a turn without a
        request does no harm.
        """
        answer_requests = supervisor.answer_requests
        self.waiting = True

        def answer() -> None:
            if self.waiting:
                answer_requests()
                with suppress(DatabaseError), reading(self.project.database) as connection:
                    self.waiting = bool(requests.pending(connection))

        supervisor.answer_requests = answer  # type: ignore[method-assign]

    def during_run(self, supervisor: Supervisor) -> None:
        """Do what people may do between two turns of a run."""
        if self.happens("request to a run"):
            for _ in range(2 if self.happens("two requests at once") else 1):
                self.ask()
        self.disturb_scorers(supervisor.project_state.ledger)
        self.want_better_captions(supervisor.project_state.ledger)
        if self.happens("run is stopped"):
            supervisor.stop(after_shard=self.rng.random() < 0.5)
        if self.happens("command beside a run"):
            self.carry_out(self.some_request(), beside_run=True)
        if self.happens("two screens read"):
            for _ in range(2):
                with suppress(DatabaseError):
                    read_snapshot(self.project)

    def disturb_scorers(self, ledger: TaskLedger) -> None:
        """Have captions left out until a scorer works without them, and asked for then; or have
        captions replaced while they are scored."""
        captioning = [t for t in ledger.tasks.values() if t.model_id not in ledger.scorers]
        scored = {ledger[task].shard for ids in ledger.scoring.values() for task in ids}
        scored &= {t.shard for t in ledger.tasks.values() if t.state == "running"} - {
            t.shard for t in captioning if t.state in ("pending", "running")
        }
        pending = [t.id for t in captioning if t.state == "pending"]
        if ledger.scorers and pending and self.happens("captions are left out for a time"):
            self.ask(Skip(tasks=pending[:2]))
        closed = [t for t in captioning if t.shard in scored and t.state in ("done", "skipped")]
        if closed and self.happens("captions come while they are scored"):
            lacking = [t.id for t in closed if t.state == "skipped" and not t.captioned]
            if lacking:
                self.ask(Skip(tasks=lacking, skip=False))
            else:
                task = self.rng.choice(closed)
                self.ask(Retry(tasks=[task.id]))
                if self.rng.random() < CLOSED_AGAIN:
                    self.ask(Skip(tasks=[task.id]))

    def want_better_captions(self, ledger: TaskLedger) -> None:
        """Have captions of a finished task asked again, and perhaps not, after all."""
        names = self.simulation.truth.names
        done = [t.id for t in ledger.tasks.values() if t.state == "done" and t.captioned]
        done = [task for task in done if names[task][0] == SERVER]
        if done and self.happens("captions are asked again"):
            self.ask(ask_again(self.rng, [self.rng.choice(done)], range(SHARD_SIZE)))
            if self.rng.random() < UNDONE and (change := self.last_change()) is not None:
                self.ask(Undo(request=change))

    def some_request(self) -> Request:
        simulation = self.simulation
        if self.rng.random() < UNDONE and (change := self.last_change()) is not None:
            return Undo(request=change)
        models = [model.name for model in simulation.models.values()]
        return sensible_request(self.rng, simulation.truth.names, simulation.devices, models)

    def last_change(self) -> int | None:
        """Return one of the last requests that can be undone, by its id; None without any."""
        newest: Sequence[RequestRow] = ()
        with suppress(DatabaseError), reading(self.project.database) as connection:
            newest = requests.newest(connection, UNDOABLE_KINDS)
        return self.rng.choice(newest[:UNDONE_AMONG]).id if newest else None

    def ask(self, request: Request | None = None) -> None:
        """Put a request into the database, as a command does while a run is under way."""
        if request is None and self.happens("request that makes no sense"):
            kind, payload = self.rng.choice(NONSENSE)
        else:
            request = request or self.some_request()
            remember(request, self.simulation.truth)
            kind, payload = request.kind, to_payload(request)
        self.simulation.note(f"asked: {kind} {payload}")
        values = {
            "created": self.simulation.time.time(),
            "kind": kind,
            "payload": json.dumps(payload),
        }
        with suppress(DatabaseError), writing(self.project.database) as connection:
            added = connection.execute(insert(REQUEST).values(values).returning(REQUEST.c.id))
            self.simulation.truth.asked.add(int(added.scalar_one()))
        self.waiting = True

    def ask_offline(self) -> None:
        """Have requests carried out while nothing runs, each by a process of its own."""
        for _ in range(self.rng.randint(1, 4)):
            request = self.some_request()
            remember(request, self.simulation.truth)
            self.carry_out(request)
            self.simulation.after_process("a request")
        if self.happens("command carries out what a run did not come to"):
            self.carry_out_leftover()

    def carry_out_leftover(self) -> None:
        """Have the command that made a request carry it out, since its run has ended."""
        with reading(self.project.database) as connection:
            waiting = requests.pending(connection)
        for row in waiting[:1]:
            with suppress(RequestRefused):
                self.carry_out(parse_request(row.kind, row.payload), row.id)
                self.simulation.after_process("a request that was left")

    def shear(self, shearing: Shearing) -> bool:
        """Shear all captions again, unless they are sheared so already.

        Returns False if that was refused, or killed.
        """
        simulation = self.simulation
        with reading(self.project.database) as connection:
            if Shearing.of(projects.project(connection)) == shearing:
                return True
        simulation.note(f"command: reshear {shearing}")
        alive, simulation.alive = simulation.alive, True
        try:
            with ProjectLock(self.project.lock):
                state = ProjectState.load(self.project, Policy(), simulation.time)
                reshear_locked(state, shearing, lambda done, total: None)
            return True
        except Killed:
            return False
        except (*REFUSALS, DamagedFiles, OSError) as error:
            simulation.note(f"refused: {type(error).__name__}")
            return False
        finally:
            simulation.alive = alive

    def carry_out(
        self, request: Request, request_id: int | None = None, beside_run: bool = False
    ) -> None:
        """Carry a request out as a command does; beside a run, it must not get the lock."""
        simulation = self.simulation
        simulation.note(f"command: {request.kind} {to_payload(request)}")
        alive, simulation.alive = simulation.alive, True
        try:
            run_control.apply(self.project, request, request_id, simulation.time)
            if beside_run and simulation.supervisor and simulation.supervisor.lock.intact():
                simulation.checker.violate(f"{request.kind} was carried out beside a run")
        except Killed:
            if beside_run:
                raise
        except REFUSALS as error:
            simulation.note(f"refused: {error}")
        except Exception as error:
            where = traceback.format_exc(limit=-3)
            simulation.checker.violate(
                f"{request.kind} ended with {type(error).__name__}: {error}\n{where}"
            )
        finally:
            simulation.alive = alive
