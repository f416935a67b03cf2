"""What follows from a load that failed: a function of what is known, without files or processes.

`model_loading` gathers the facts and carries the verdict out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.state.policy import Policy

LoadVerdict = Literal[
    "device_death",
    "delay_on_machine",
    "delay_and_rest_machine",
    "delay_on_device",
    "count",
    "block",
]
"""What follows: a death of the device; no load of the model on this machine for a time, with a rest
of the machine if it has nothing else to do; no load on this device for a time; or, where no other
device may still show that the model can be loaded, a count and in the end a block of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailureFacts:
    """A load that failed, other than for want of room."""

    on_trial: bool
    """True if other ready devices have captioned with the model, and this one has not."""
    other_machine_may_load: bool
    """True if a ready device of another machine, which has not failed to, may load the model."""
    machine_has_other_work: bool
    """True if this device may load another model that has work."""
    loaded_elsewhere: bool
    """True if a worker has the model, or is loading it, on a device that has not failed to."""
    failures: int
    """Load failures of the model in a row, without this one."""
    kills: int = 0
    """How often in a row the worker was killed, or hung, while it loaded the model on this device,
    this time among them; 0 if the load failed in another way."""


def judge_load_failure(facts: LoadFailureFacts, policy: Policy) -> LoadVerdict:
    """Return what follows from a failed load: the first rule that holds.

    Where other devices caption with the model, the device is to blame. A kill or two, or a hang,
    may have nothing to do with the model: the device is to blame for them as well, and rests if the
    loads of all models end there so. While another machine may still load the model, this machine
    is to blame. Otherwise it is a failure of the model: `Policy.load_failures` of them block it, so
    that other models go on and the run comes to its end, but not before every device has tried.
    """
    if facts.on_trial or 0 < facts.kills < policy.load_kills:
        return "device_death"
    if facts.other_machine_may_load:
        return "delay_on_machine" if facts.machine_has_other_work else "delay_and_rest_machine"
    if facts.loaded_elsewhere:
        return "delay_on_device"
    return "block" if facts.failures + 1 >= policy.load_failures else "count"


def counts_against_model(verdict: LoadVerdict) -> bool:
    """Return True if the failure is one of the model's own: `load_failures + 1`."""
    return verdict in ("delay_on_device", "count", "block")


@dataclass(frozen=True, slots=True, kw_only=True)
class KilledLoad:
    """A load whose worker was killed, or hung, as `describe_killed_load` tells it to people."""

    reason: str
    """Why the worker ended."""
    signal: Literal["SIGKILL", "SIGTERM"] | None
    """The signal from outside that ended it; None if it hung, or wrote what is no message."""
    times: int
    """How often that has happened in a row while the model was loaded, on all devices together."""
    weight_bytes: int | None = None
    """The size of the checkpoint's weights; None if it is not known."""
    machine_bytes: int | None = None
    """The memory of the machine on which it happened; None if it is another than this one."""


def describe_killed_load(load: KilledLoad) -> str:
    """Return why a model is blocked whose loads end so, and what to do."""
    if load.signal is None:
        return (
            f"{load.times} workers ended while they loaded it, the last one because: {load.reason}"
        )
    text = f"killed while it loaded {load.times} times ({load.signal})"
    if load.signal == "SIGTERM":
        return f"{text}: find out what ends its workers"
    text += ", probably out of memory"
    if load.weight_bytes is not None:
        text += f": it needs about {memory_text(load.weight_bytes)} for its weights"
        if load.machine_bytes is not None:
            text += f", this machine has {memory_text(load.machine_bytes)}"
    return f"{text}; free memory, or take a smaller model or a larger machine"


def memory_text(size: int) -> str:
    """Return a size in bytes as people read it."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
