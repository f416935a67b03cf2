"""Every number by which the supervisor decides, in one place that tests can shrink."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Times in seconds."""

    tick: float = 0.25
    commit_every: float = 1.0
    busy_seconds: float = 0.5
    """How long a commit waits for a reader: the workers wait with it."""
    sync_every: float = 5.0
    sync_rows: int = 512

    first_delay: float = 30.0
    """After a strike; doubled with each further one."""
    longest_delay: float = 900.0
    longest_wait: float = 3600.0
    """Of a model whose server asks for it; by itself it waits `longest_delay` at most."""
    strikes: int = 3
    load_failures: int = 3
    device_failures: int = 3
    """Deaths of a device's workers without a row between them, before it rests."""
    device_rest: float = 300.0
    poison_deaths: int = 2
    server_deaths: int = 3
    """Of a server, alone with a record, before that is failed: it has others to die of, too."""

    heartbeat_limit: float = 60.0
    row_limit: float = 180.0
    """Without a row or another sign of progress, after which a worker counts as hung."""
    cpu_row_limit: float = 1800.0
    """The same on a CPU, which shows progress at every layer: in bfloat16, on two cores that do
    not know it, one layer of a batch of a 7B model takes 13 minutes."""
    row_limit_batches: float = 20.0
    """The median batch so many times is the limit, if longer."""
    load_limit: float = 1800.0
    kill_after: float = 10.0
    """From TERM to KILL."""
    lost_after: float = 60.0
    """A process that outlives KILL this long loses its device."""

    chunk: int = 512
    """Records sent to a worker at a time, at least; four batches, where that is more."""
    memory_retry: float = 60.0
    """Before a model is loaded again on a device that had no room for it; doubled each time."""
    memory_tries: int = 10
    """Loads in a row without room after which the next ones count as failures of the model."""
    disk_floor: int = 256 * 2**20
    """Bytes free below which a run paused for a full disk does not go on by itself."""
    disk_retry: float = 10.0

    log_limit: int = 32 * 2**20
    """Bytes of a log after which it is begun anew; half as much of it is kept beside it."""
    log_every: float = 60.0

    def delay(self, strikes: int) -> float:
        return min(self.longest_delay, self.first_delay * 2.0 ** max(0, strikes - 1))
