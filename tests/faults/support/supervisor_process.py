"""Supervisors in child processes, forked so that they need not import everything again."""

from __future__ import annotations

import os
import signal
import time
import traceback
from dataclasses import replace

import psutil

from db.connection import DatabaseBusy, writing
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.state.policy import Policy
from engine.supervisor.main import supervise
from tests.support.waiting import TIMEOUT_SECONDS

FAST_POLICY = Policy(
    tick=0.05,
    commit_every=0.2,
    first_delay=0.05,
    longest_delay=0.2,
    device_rest=0.3,
    row_limit=3600.0,  # a worker on a slow or busy machine is none that hangs
    cpu_row_limit=3600.0,
    kill_after=1.0,
    memory_retry=0.05,
    chunk=24,  # more records than rows of missing images that a worker withholds
    disk_floor=2**20,
    disk_retry=0.1,
)
"""A policy under which everything is decided within a second."""
HANG_POLICY = replace(FAST_POLICY, row_limit=10.0, cpu_row_limit=10.0)
"""The same, for tests of workers that hang: one that sends no row for so long is ended."""


class SupervisorProcess:
    """A child process that runs `supervise`, with its stderr in the project's log."""

    def __init__(
        self,
        project: Project,
        devices: str = "cpu",
        policy: Policy = FAST_POLICY,
        module: str = "tests.faults.support.misbehaving_worker",
        **environment: str,
    ) -> None:
        self.database = project.database
        self.code: int | None = None
        # Not in the functions that Python runs after a fork: they swallow a KeyboardInterrupt.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        self.pid = os.fork()
        if self.pid == 0:
            code = 2
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
                os.setsid()
                project.logs.mkdir(exist_ok=True)
                with project.supervisor_log.open("ab") as log:
                    os.dup2(log.fileno(), 2)
                os.environ.update(environment)
                code = 0 if supervise(open_project(project.folder), devices, policy, module) else 1
            except BaseException:
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(code)
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs.

        The code is 1 if tasks are left and 2 after an exception.
        """
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self, timeout: float = TIMEOUT_SECONDS) -> int:
        """Return the exit code. Kills the process and fails after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
                raise AssertionError(f"still running after {timeout} s")
            time.sleep(0.01)
        return code

    def signal(self, number: int) -> None:
        """Send the signal, unless the process has ended."""
        if self.code is None:
            os.kill(self.pid, number)

    def freeze(self) -> None:
        """Stop the process until SIGCONT, but not during a commit, which would lock out others."""
        while True:
            self.signal(signal.SIGSTOP)
            _, status = os.waitpid(self.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            try:
                with writing(self.database, busy_seconds=0.0):
                    return
            except DatabaseBusy:
                self.signal(signal.SIGCONT)
                time.sleep(0.01)

    def kill(self) -> None:
        """Send SIGKILL and wait until the process has ended."""
        self.signal(signal.SIGKILL)
        self.wait()

    def workers(self) -> list[int]:
        """Return the pids of the workers."""
        try:
            return [child.pid for child in psutil.Process(self.pid).children()]
        except psutil.Error:
            return []

    def __enter__(self) -> SupervisorProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.poll() is None:
            self.kill()
