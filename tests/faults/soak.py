"""Hours of random faults: `python -m tests.faults.soak --minutes N --seed S`.

One project after another is captioned by several workers while random faults are injected. Each
project is then completed and compared with the invariants and the export of an undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from db import progress, projects
from db.connection import DatabaseError, reading
from engine.captioners.registry import choose
from engine.datasets.exports.export import ExportOptions, export
from engine.operations import run_control
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.project.rebuild import damage
from engine.requests.kinds import Pause, Request, Resume, Retry, Stop
from engine.utils.errors import BadInput, RequestRefused
from tests.faults.support import small_disk
from tests.faults.support.damage import damage_database, damage_log, leave_hot_journal, tear_tails
from tests.faults.support.invariants import check_invariants, wait_until_gone
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.pictures import dry_run_caption, make_captions

IMAGES = 1500
"""Number of records in the data set."""
SHARD_SIZE = 150
"""Number of records in a shard."""
POISON = 777
"""Id of the record that kills every worker."""
BAD_IMAGES = {11: b"", 222: b"no image", 1333: None}
"""Content of the images that cannot be captioned, by record id; None if the file is missing."""
DEVICES = "cpu:3"
POLICY = replace(
    FAST_POLICY, heartbeat_limit=8.0, device_failures=6, row_limit=3.0, cpu_row_limit=4.0
)
"""A fast policy that allows for faults which come close together."""


class Soak:
    """Projects that are run under random faults, and what was found wrong with them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.rng = random.Random(seed)
        self.injected: Counter[str] = Counter()
        """Number of injected faults by name, and of refused requests by kind."""
        self.redone: set[int] = set()
        """Shards of this round for which a retry was requested."""
        self.problems: list[str] = []
        """The problems found in all rounds, one sentence each."""
        self.reasons: Counter[str] = Counter()
        """Why shards had to be retried by hand, with the number of shards."""
        self.rounds = self.retried = self.captions = 0
        self.disk = make_disk(folder)
        self.data = folder / "data"
        self.expected = self.make_data()
        self.faults: list[Callable[[], None]] = [
            self.kill_worker,
            self.kill_worker,
            self.stop_worker,
            self.kill_supervisor,
            self.end_supervisor,
            self.freeze_supervisor,
            self.cut_power,
            self.damage_log,
            self.damage_database,
            self.move,
            self.pause,
            self.stop,
            self.retry,
            self.second_supervisor,
            self.stuck_reader,
            self.lose_images,
            self.fill_disk,
            self.export,
        ]

    def make_data(self) -> list[dict[str, str]]:
        """Make the data set, and return the records that an undisturbed run exports."""
        captions = make_captions(self.data, IMAGES)
        for number, content in BAD_IMAGES.items():
            path = self.data / f"images/{number:06}.png"
            path.unlink() if content is None else path.write_bytes(content)
        return [
            {"image": record["image"], "caption": dry_run_caption(self.data / record["image"])}
            for number, record in enumerate(json.loads(captions.read_text()))
            if number not in BAD_IMAGES and number != POISON
        ]

    # One round

    def round(self, until: float) -> None:
        """Run one project under faults until it is finished, then check it.

        From `until` (seconds on the monotonic clock) no more faults are injected.
        """
        self.rounds += 1
        self.redone.clear()
        captions = self.data / "captions.json"
        new_project = NewProject(
            captions=[captions], models=[choose("dry-run")], shard_size=SHARD_SIZE
        )
        self.project = create(self.disk / f"round{self.rounds}", new_project).project
        set_batch_size(self.project, 16)
        self.supervisor = self.start()
        try:
            while time.monotonic() < until and not self.finished():
                time.sleep(self.rng.expovariate(0.6))
                fault = self.rng.choice(self.faults)
                self.injected[fault.__name__] += 1
                fault()
                if self.supervisor.poll() is not None:
                    self.supervisor = self.start()
            self.complete()
            self.check()
        except Exception as error:
            self.problems.append(f"round {self.rounds}: {error!r}")
            self.supervisor.kill()
            shutil.copytree(self.project.folder, self.folder / f"wrong{self.rounds}")
        shutil.rmtree(self.project.folder)

    def start(self) -> SupervisorProcess:
        """Start a supervisor whose workers misbehave at random."""
        return SupervisorProcess(
            self.project,
            DEVICES,
            POLICY,
            MISBEHAVIOUR=f"poison:{POISON}",
            MISBEHAVIOUR_CHANCE="0.004",
            MISBEHAVIOUR_SECONDS="0.004",
        )

    def finished(self) -> bool:
        """Return True if the last supervisor left no task to do."""
        return self.supervisor.poll() == 0

    def complete(self) -> None:
        """Run without further faults to the end, and retry what failed because of the faults."""
        self.resume()
        for _ in range(20):
            code = self.supervisor.wait(timeout=300)
            shards = self.shards_failed_by_faults()
            if code == 0 and not shards:
                return
            if shards:
                self.retried += len(shards)
                self.redone.update(shards)
                self.send_request(Retry(tasks=self.task_ids(shards)))
            self.resume()
            self.supervisor = self.start()
        self.problems.append(f"round {self.rounds} did not come to its end")

    def shards_failed_by_faults(self) -> list[int]:
        """Return shards whose task failed, or in which kills from outside were taken for poison."""
        reasons: dict[int, str] = {}
        with reading(self.project.database) as connection:
            for task in projects.tasks(connection):
                if task.state in ("failed", "skipped"):
                    reasons[task.shard] = f"{task.state}: {task.error}"
                for failure in progress.failures(connection, task.id):
                    poison = failure.kind == "poison" and task.shard == POISON // SHARD_SIZE
                    if not (
                        failure.kind in ("corrupt", "missing") or (poison and failure.count == 1)
                    ):
                        reasons[task.shard] = f"{failure.count} records {failure.kind}"
        self.reasons.update(reasons.values())
        return sorted(reasons)

    def check(self) -> None:
        """Note what is wrong with the finished project and its export."""
        out = self.folder / "out.json"
        try:
            check_invariants(self.project, redone=self.redone, foreign=True)
            export(self.project, out)
        except BadInput as error:
            self.problems.append(f"round {self.rounds}: {error}")
            return
        exported = json.loads(out.read_text())
        self.captions += len(exported)
        for lost in [record for record in self.expected if record not in exported]:
            self.problems.append(f"round {self.rounds}: lost or misplaced: {lost}")
        if len(exported) > len(self.expected):
            self.problems.append(f"round {self.rounds}: {len(exported)} records are too many")
        if exported != self.expected and not self.problems:
            self.problems.append(f"round {self.rounds}: another order")

    # Faults

    def send_request(self, request: Request) -> None:
        """Send a request to the supervisor. A refusal is counted, a missing answer is a problem."""
        try:
            run_control.send_request(open_project(self.project.folder), request)
        except (RequestRefused, BadInput, DatabaseError) as refused:
            self.injected[f"({request.kind} refused)"] += 1
            if "no answer" in str(refused):
                self.problems.append(f"round {self.rounds}: {request.kind}: {refused}")

    def task_ids(self, shards: list[int]) -> list[int]:
        """Return the ids of the shards' tasks."""
        with reading(self.project.database) as connection:
            return [task.id for task in projects.tasks(connection) if task.shard in shards]

    def kill_worker(self) -> None:
        if workers := self.supervisor.workers():
            send_signal(self.rng.choice(workers), signal.SIGKILL)

    def stop_worker(self) -> None:
        if workers := self.supervisor.workers():
            send_signal(self.rng.choice(workers), signal.SIGSTOP)

    def kill_supervisor(self) -> None:
        self.supervisor.kill()

    def end_supervisor(self) -> None:
        self.supervisor.signal(self.rng.choice([signal.SIGTERM, signal.SIGINT]))
        self.supervisor.wait()

    def freeze_supervisor(self) -> None:
        self.supervisor.signal(signal.SIGSTOP)
        time.sleep(self.rng.uniform(0.1, 2))
        self.supervisor.signal(signal.SIGCONT)

    def cut_power(self) -> None:
        """End everything at once, and tear or zero what was not synced yet."""
        self.supervisor.kill()
        wait_until_gone(self.project)
        tear_tails(self.project, self.rng)
        if self.rng.random() < 0.5 and damage(self.project) is None:
            leave_hot_journal(self.project)

    def damage_log(self) -> None:
        self.end_supervisor()
        damage_log(self.project, self.rng)

    def damage_database(self) -> None:
        self.end_supervisor()
        damage_database(self.project, self.rng)

    def move(self) -> None:
        if self.rng.random() < 0.5:
            self.end_supervisor()
        moved = self.disk / f"moved {self.injected['move']}"
        self.project.folder.rename(moved)
        self.project = Project(moved)
        self.supervisor.wait()

    def pause(self) -> None:
        self.send_request(Pause())
        time.sleep(self.rng.uniform(0, 0.5))
        self.resume()

    def resume(self) -> None:
        self.send_request(Resume())

    def stop(self) -> None:
        self.send_request(Stop(after_shard=self.rng.random() < 0.5))
        self.supervisor.wait()

    def retry(self) -> None:
        shards = self.rng.sample(range(IMAGES // SHARD_SIZE), 2)
        self.redone.update(shards)
        only_failed = self.rng.random() < 0.5
        tasks = [shard + 1 for shard in shards]  # there is one model
        self.send_request(Retry(tasks=tasks, failed_items=only_failed))

    def second_supervisor(self) -> None:
        """Start another supervisor, which must end at once as long as the first one runs."""
        if self.supervisor.poll() is not None:
            return
        lock = Path(f"/proc/{self.supervisor.pid}")
        second = SupervisorProcess(self.project, DEVICES, POLICY)
        if second.wait() != 2 and lock.exists() and self.supervisor.poll() is None:
            self.problems.append(f"round {self.rounds}: two supervisors")

    def stuck_reader(self) -> None:
        """Keep a read of the database open for a second, which delays commits."""
        code = "import sqlite3, sys, time\nc = sqlite3.connect(sys.argv[1])\n"
        code += "next(c.execute('SELECT * FROM task'))\ntime.sleep(1)"
        subprocess.run([sys.executable, "-c", code, str(self.project.database)], stderr=-3)

    def lose_images(self) -> None:
        """Take the image root away for a while, as when a disk is unmounted."""
        away = self.data / "away"
        (self.data / "images").rename(away)
        time.sleep(self.rng.uniform(0, 1))
        away.rename(self.data / "images")
        self.resume()

    def fill_disk(self) -> None:
        if self.disk == self.folder / "disk":
            filler = small_disk.fill(self.disk, self.rng.choice([0, 4096, 20_000]))
            time.sleep(self.rng.uniform(0.2, 1))
            filler.unlink()

    def export(self) -> None:
        """Export what is done so far, and check every record of it."""
        out = self.folder / "partial.json"
        try:
            project = open_project(self.project.folder)
            export(project, out, ExportOptions(allow_partial=True))
        except BadInput:  # a log is damaged and was not repaired yet
            self.injected["(export refused)"] += 1
            return
        known = {(record["image"], record["caption"]) for record in self.expected}
        for record in json.loads(out.read_text()):
            if (record["image"], record["caption"]) not in known:
                self.problems.append(f"round {self.rounds}: wrong in a partial export: {record}")

    def report(self, seconds: float, seed: int) -> str:
        """Return the text that the command prints at its end."""
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.injected.items()))
        return "\n".join(
            [
                f"seed {seed}: {seconds / 60:.1f} minutes, {self.rounds} projects,"
                f" {self.captions} captions checked,"
                f" {sum(self.injected.values())} faults thrown: {faults}",
                f"shards that had to be retried by hand: {self.retried} {dict(self.reasons) or ''}",
                f"lost, duplicated or misplaced: {len(self.problems)}",
                *self.problems,
            ]
        )


def send_signal(pid: int, number: int) -> None:
    """Send a signal to a process, which may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def set_batch_size(project: Project, size: int) -> None:
    """Set the batch size in the settings of all models."""
    with sqlite3.connect(project.database) as connection:
        connection.execute(f"UPDATE model SET settings = json_set(settings, '$.batch', {size})")
    connection.close()


def make_disk(folder: Path) -> Path:
    """Return a small disk of its own where this process may mount one, otherwise `folder`."""
    disk = folder / "disk"
    return disk if small_disk.mount(disk, 24 * 1024) else folder


def soak(minutes: float, seed: int, folder: Path) -> tuple[list[str], str]:
    """Run for so many minutes. Return what was found wrong, and the report."""
    began = time.monotonic()
    soak_run = Soak(folder, seed)
    try:
        while time.monotonic() < began + 60 * minutes:
            soak_run.round(began + 60 * minutes)
    finally:
        if soak_run.disk == folder / "disk":
            small_disk.unmount(soak_run.disk)
    return soak_run.problems, soak_run.report(time.monotonic() - began, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for what went wrong")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    problems, report = soak(options.minutes, options.seed, folder)
    print(report)
    if not options.keep:
        shutil.rmtree(folder)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
