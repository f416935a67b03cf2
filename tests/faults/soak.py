"""Hours of random faults: `python -m tests.faults.soak --minutes N --seed S`.

One project after the other is captioned by several workers while faults are thrown at random.
Each is let finish and held against the invariants and the export of an undisturbed run.
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
from engine.utils.errors import BadInput, Refused
from tests.faults.support import disks
from tests.faults.support.damage import damage_database, damage_log, leave_hot_journal, tear_tails
from tests.faults.support.forked import HASTY, Supervising
from tests.faults.support.invariants import check_invariants, wait_until_gone
from tests.support.pictures import dry_run_caption, make_captions

IMAGES = 1500
SHARD = 150
POISON = 777
BAD = {11: b"", 222: b"no image", 1333: None}
"""Images that cannot be captioned, by number: what is in them, None for missing."""
DEVICES = "cpu:3"
POLICY = replace(HASTY, heartbeat_limit=8.0, device_failures=6, cpu_row_limit=4.0)


class Soak:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.thrown: Counter[str] = Counter()
        self.redone: set[int] = set()
        """Shards of this round that were asked for again."""
        self.wrong: list[str] = []
        self.reasons: Counter[str] = Counter()
        """Why shards had to be retried by hand."""
        self.rounds = self.retried = self.captions = 0
        self.disk = small_disk(folder)
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
        """The records that an undisturbed run exports."""
        captions = make_captions(self.data, IMAGES)
        for number, content in BAD.items():
            path = self.data / f"images/{number:06}.png"
            path.unlink() if content is None else path.write_bytes(content)
        return [
            {"image": record["image"], "caption": dry_run_caption(self.data / record["image"])}
            for number, record in enumerate(json.loads(captions.read_text()))
            if number not in BAD and number != POISON
        ]

    # One round

    def round(self, until: float) -> None:
        """A project from its making to its end, or until the time is up."""
        self.rounds += 1
        self.redone.clear()
        wanted = NewProject([self.data / "captions.json"], [choose("dry-run")], shard_size=SHARD)
        place = self.disk / f"round{self.rounds}"
        self.project = create(place, wanted).project
        set_batch(self.project, 16)
        self.supervising = self.start()
        try:
            while time.monotonic() < until and not self.finished():
                time.sleep(self.chance.expovariate(0.6))
                fault = self.chance.choice(self.faults)
                self.thrown[fault.__name__] += 1
                fault()
                if self.supervising.poll() is not None:
                    self.supervising = self.start()
            self.settle()
            self.check()
        except Exception as error:
            self.wrong.append(f"round {self.rounds}: {error!r}")
            self.supervising.kill()
            shutil.copytree(self.project.folder, self.folder / f"wrong{self.rounds}")
        shutil.rmtree(self.project.folder)

    def start(self) -> Supervising:
        return Supervising(
            self.project,
            DEVICES,
            POLICY,
            MISBEHAVIOUR=f"poison:{POISON}",
            MISBEHAVIOUR_CHANCE="0.004",
            MISBEHAVIOUR_SECONDS="0.004",
        )

    def finished(self) -> bool:
        return self.supervising.poll() == 0

    def settle(self) -> None:
        """Lets the run come to its end, and asks again for what the faults made fail."""
        self.resume()
        for _ in range(20):
            code = self.supervising.wait(timeout=300)
            again = self.unfairly_failed()
            if code == 0 and not again:
                return
            if again:
                self.retried += len(again)
                self.redone.update(again)
                self.ask("retry", tasks=self.task_ids(again))
            self.resume()
            self.supervising = self.start()
        self.wrong.append(f"round {self.rounds} did not come to its end")

    def unfairly_failed(self) -> list[int]:
        """Shards whose task failed, or in which kills from outside were taken for poison."""
        found: dict[int, str] = {}
        with reading(self.project.database) as connection:
            for task in projects.tasks(connection):
                if task.state in ("failed", "skipped"):
                    found[task.shard] = f"{task.state}: {task.error}"
                for failure in progress.failures(connection, task.id):
                    poison = failure.kind == "poison" and task.shard == POISON // SHARD
                    if not (
                        failure.kind in ("corrupt", "missing") or (poison and failure.count == 1)
                    ):
                        found[task.shard] = f"{failure.count} records {failure.kind}"
        self.reasons.update(found.values())
        return sorted(found)

    def check(self) -> None:
        out = self.folder / "out.json"
        try:
            check_invariants(self.project, redone=self.redone, foreign=True)
            export(self.project, out)
        except BadInput as error:
            self.wrong.append(f"round {self.rounds}: {error}")
            return
        found = json.loads(out.read_text())
        self.captions += len(found)
        for lost in [record for record in self.expected if record not in found]:
            self.wrong.append(f"round {self.rounds}: lost or misplaced: {lost}")
        if len(found) > len(self.expected):
            self.wrong.append(f"round {self.rounds}: {len(found)} records are too many")
        if found != self.expected and not self.wrong:
            self.wrong.append(f"round {self.rounds}: another order")

    # Faults

    def ask(self, kind: str, **payload: object) -> None:
        try:
            run_control.ask(open_project(self.project.folder), kind, **payload)
        except (Refused, BadInput, DatabaseError) as refused:
            self.thrown[f"({kind} refused)"] += 1
            if "no answer" in str(refused):
                self.wrong.append(f"round {self.rounds}: {kind}: {refused}")

    def task_ids(self, shards: list[int]) -> list[int]:
        with reading(self.project.database) as connection:
            return [task.id for task in projects.tasks(connection) if task.shard in shards]

    def kill_worker(self) -> None:
        if workers := self.supervising.workers():
            signal_if_there(self.chance.choice(workers), signal.SIGKILL)

    def stop_worker(self) -> None:
        if workers := self.supervising.workers():
            signal_if_there(self.chance.choice(workers), signal.SIGSTOP)

    def kill_supervisor(self) -> None:
        self.supervising.kill()

    def end_supervisor(self) -> None:
        self.supervising.signal(self.chance.choice([signal.SIGTERM, signal.SIGINT]))
        self.supervising.wait()

    def freeze_supervisor(self) -> None:
        self.supervising.signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.1, 2))
        self.supervising.signal(signal.SIGCONT)

    def cut_power(self) -> None:
        """Everything is gone at once; what was not synced yet is torn or zeroed."""
        self.supervising.kill()
        wait_until_gone(self.project)
        tear_tails(self.project, self.chance)
        if self.chance.random() < 0.5 and damage(self.project) is None:
            leave_hot_journal(self.project)

    def damage_log(self) -> None:
        self.end_supervisor()
        damage_log(self.project, self.chance)

    def damage_database(self) -> None:
        self.end_supervisor()
        damage_database(self.project, self.chance)

    def move(self) -> None:
        if self.chance.random() < 0.5:
            self.end_supervisor()
        moved = self.disk / f"moved {self.thrown['move']}"
        self.project.folder.rename(moved)
        self.project = Project(moved)
        self.supervising.wait()

    def pause(self) -> None:
        self.ask("pause")
        time.sleep(self.chance.uniform(0, 0.5))
        self.resume()

    def resume(self) -> None:
        self.ask("resume")

    def stop(self) -> None:
        self.ask("stop", after_shard=self.chance.random() < 0.5)
        self.supervising.wait()

    def retry(self) -> None:
        shards = self.chance.sample(range(IMAGES // SHARD), 2)
        self.redone.update(shards)
        only_failed = self.chance.random() < 0.5
        tasks = [shard + 1 for shard in shards]  # there is one model
        self.ask("retry", tasks=tasks, failed_items=only_failed)

    def second_supervisor(self) -> None:
        if self.supervising.poll() is not None:
            return
        lock = Path(f"/proc/{self.supervising.pid}")
        second = Supervising(self.project, DEVICES, POLICY)
        if second.wait() != 2 and lock.exists() and self.supervising.poll() is None:
            self.wrong.append(f"round {self.rounds}: two supervisors")

    def stuck_reader(self) -> None:
        code = "import sqlite3, sys, time\nc = sqlite3.connect(sys.argv[1])\n"
        code += "next(c.execute('SELECT * FROM task'))\ntime.sleep(1)"
        subprocess.run([sys.executable, "-c", code, str(self.project.database)], stderr=-3)

    def lose_images(self) -> None:
        away = self.data / "away"
        (self.data / "images").rename(away)
        time.sleep(self.chance.uniform(0, 1))
        away.rename(self.data / "images")
        self.resume()

    def fill_disk(self) -> None:
        if self.disk == self.folder / "disk":
            filler = disks.fill(self.disk, self.chance.choice([0, 4096, 20_000]))
            time.sleep(self.chance.uniform(0.2, 1))
            filler.unlink()

    def export(self) -> None:
        out = self.folder / "partial.json"
        try:
            project = open_project(self.project.folder)
            export(project, out, ExportOptions(allow_partial=True))
        except BadInput:  # it says that a log was damaged and not made good yet
            self.thrown["(export refused)"] += 1
            return
        known = {(record["image"], record["caption"]) for record in self.expected}
        for record in json.loads(out.read_text()):
            if (record["image"], record["caption"]) not in known:
                self.wrong.append(f"round {self.rounds}: wrong in a partial export: {record}")

    def report(self, seconds: float, seed: int) -> str:
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.thrown.items()))
        return "\n".join(
            [
                f"seed {seed}: {seconds / 60:.1f} minutes, {self.rounds} projects,"
                f" {self.captions} captions checked,"
                f" {sum(self.thrown.values())} faults thrown: {faults}",
                f"shards that had to be retried by hand: {self.retried} {dict(self.reasons) or ''}",
                f"lost, duplicated or misplaced: {len(self.wrong)}",
                *self.wrong,
            ]
        )


def signal_if_there(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def set_batch(project: Project, size: int) -> None:
    with sqlite3.connect(project.database) as connection:
        connection.execute(f"UPDATE model SET settings = json_set(settings, '$.batch', {size})")
    connection.close()


def small_disk(folder: Path) -> Path:
    """A small disk of its own where that is allowed, else just another folder."""
    disk = folder / "disk"
    return disk if disks.mount(disk, 24 * 1024) else folder


def soak(minutes: float, seed: int, folder: Path) -> tuple[list[str], str]:
    """What went wrong, and a report in words."""
    began = time.monotonic()
    soaking = Soak(folder, seed)
    try:
        while time.monotonic() < began + 60 * minutes:
            soaking.round(began + 60 * minutes)
    finally:
        if soaking.disk == folder / "disk":
            disks.unmount(soaking.disk)
    return soaking.wrong, soaking.report(time.monotonic() - began, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for what went wrong")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    wrong, report = soak(given.minutes, given.seed, folder)
    print(report)
    if not given.keep:
        shutil.rmtree(folder)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
