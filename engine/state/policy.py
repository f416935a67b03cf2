"""Every number by which the supervisor decides, in one place that tests can shrink."""

from __future__ import annotations

from dataclasses import dataclass

NO_HEALTH_STOP = "--no-health-stop"
"""The argument of a supervisor that stops no model for the health of its captions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The supervisor's limits and intervals. Times are in seconds.

    A number is a judgement, not a measurement, unless its reason says otherwise.
    """

    tick: float = 0.25
    """Longest wait for messages in one turn of the loop, and shortest time between two readings of
    requests: a person sees the answer to a key at once, and an idle run costs four turns a
    second."""
    commit_every: float = 1.0
    """Time between commits: the screens read the database about as often, and a commit costs up to
    0.36 s with 512 devices (docs/scale.md)."""
    busy_seconds: float = 0.5
    """How long a commit waits for a reader of the database before it is put off to the next turn.
    Short, since all workers wait with it."""
    sync_every: float = 5.0
    """Time after which the unsynced rows of a running task are synced to disk: what a power cut may
    cost at most."""
    sync_rows: int = 512
    """Unsynced rows after which the log of a running task is synced at once, for the same reason
    where captions come fast: as many as a chunk."""

    first_delay: float = 30.0
    """Delay of a task after its first strike, and of a model after its server's first outage;
    doubled with each further one. Long enough for a passing cause (a neighbour on the GPU, a server
    that restarts) to be over."""
    longest_delay: float = 900.0
    """Longest such delay: what recovers after hours is noticed within a quarter of an hour."""
    longest_wait: float = 3600.0
    """Longest wait of a model whose server asked for a time (`Retry-After`); without that it waits
    `longest_delay` at most. An hour, since a quota may be counted by the hour, and what a server
    asks for is not trusted beyond."""
    strikes: int = 3
    """Strikes in a row, without a row between them, after which a task fails: with their delays
    they rule out a cause that passes within a minute and a half."""
    load_failures: int = 3
    """Load failures in a row after which a model is blocked: more than one, since a file system may
    fail for a moment, and few, since each may take minutes."""
    load_kills: int = 3
    """Kills from outside, or hangs, in a row while one device loads one model, from which on they
    count as load failures too. With the delays between them, `memory_retry` and doubled each time,
    a model is blocked after a quarter of an hour at the earliest: a job of somebody else's that
    takes all memory for some minutes blocks nothing."""
    device_failures: int = 3
    """Deaths of a device's workers without a row between them, after which the device rests."""
    device_rest: float = 300.0
    """How long a device rests, and how long a machine does not load a model that other machines may
    still load: other devices do the work meanwhile, and a driver or mount that was repaired is
    used again within five minutes."""
    poison_deaths: int = 2
    """Crashes of a worker with one record alone before that record is failed as poison: one may be
    chance. Kills from outside count half."""
    poison_in_a_row: int = 10
    """Records that one device fails as poison without a row between before the model on it is
    blamed again: more than ever lie together by chance, and few enough to caption again."""
    server_deaths: int = 3
    """Times that a server went away with one record alone before that record is failed as poison:
    one more than of a worker, since a server has other requests to die of, too."""

    heartbeat_limit: float = 60.0
    """Time without any message after which a worker counts as hung: twelve of its heartbeats."""
    row_limit: float = 180.0
    """Time without a row or another sign of progress after which a captioning worker counts as
    hung: a GPU's batch takes seconds, so that minutes are no slow batch."""
    cpu_row_limit: float = 1800.0
    """The same on a CPU, which shows progress at every layer: in bfloat16, on two cores that do
    not know it, one layer of a batch of a 7B model takes 13 minutes (measured)."""
    row_limit_batches: float = 20.0
    """Median batches that the limit without a row lasts at least, for models whose batches take
    longer than the limits above allow for."""
    load_limit: float = 1800.0
    """Time without a reported step of a load after which a loading worker counts as hung: a large
    checkpoint on a slow shared disk may take many minutes in one step."""
    kill_after: float = 10.0
    """Time from SIGTERM to SIGKILL, and the longest time that the end of a run waits for its
    workers, and then for its last commit."""
    lost_after: float = 60.0
    """Time after SIGKILL at which a process that still exists loses its device: it sits in the
    driver."""

    chunk: int = 512
    """Records that are with a worker at a time, at least; `task_runner.BATCHES_AHEAD` batches where
    that is more. At 20 captions a second that is 25 s of work: a busy supervisor starves nobody
    (docs/scale.md)."""
    memory_retry: float = 60.0
    """Delay before a model is loaded again on a device that had no room for it; doubled each time
    up to `longest_delay`. Another job may free the memory."""
    memory_tries: int = 10
    """Loads in a row without room after which the next ones count as failures of the model: with
    their delays an hour and three quarters, after which it is hardly another job that is in the
    way."""
    disk_floor: int = 256 * 2**20
    """Bytes that must be free before a run that a full disk paused goes on by itself: a million
    captions take about 208 MB (docs/scale.md), so that it does not pause again at once."""
    disk_low: int = 2 * 2**30
    """Bytes on the project's disk below which the user is told that it fills up: room for ten
    million captions, so that there is time to make some."""
    disk_every: float = 60.0
    """Time between looks at how much room there is."""
    disk_retry: float = 10.0
    """Time between looks at the disk of a run that a full disk paused."""

    health_stop: bool = True
    """True to stop a model whose captions are too bad (`engine.quality.alarms`)."""
    health_captions: int = 200
    """Captions of a model after which their health is first judged: a minute's work of a GPU, and
    enough to tell 3 % from nothing."""
    health_every: float = 60.0
    """Time between later judgements."""
    health_least: int = 50
    """Captions that a judgement is of, at least; of fewer, later ones are waited for."""
    health_most: int = 3000
    """Captions of a model that are looked at between two judgements, at most: 20,000 take a
    second."""
    health_a_turn: int = 200
    """Captions of a model that are looked at in one turn of the loop: a hundredth of a second."""

    log_limit: int = 32 * 2**20
    """Bytes of a log after which it is begun anew; half as much of it is kept beside it. A run of
    days stays within 48 MiB per device, and an editor opens that."""
    log_every: float = 60.0
    """Time between looks at the sizes of the logs."""

    def delay(self, strikes: int) -> float:
        """Return the delay in seconds after so many strikes, or outages, in a row."""
        return min(self.longest_delay, self.first_delay * 2.0 ** max(0, strikes - 1))
