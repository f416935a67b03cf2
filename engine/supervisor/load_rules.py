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
    """True if a ready device of another machine may load the model now."""
    machine_has_other_work: bool
    """True if this device may load another model that has work."""
    loaded_elsewhere: bool
    """True if a worker has the model, or is loading it, on a device that has not failed to."""
    failures: int
    """Load failures of the model in a row, without this one."""


def judge_load_failure(facts: LoadFailureFacts, policy: Policy) -> LoadVerdict:
    """Return what follows from a failed load: the first rule that holds.

    Where other devices caption with the model, the device is to blame. While another machine may
    still load it, this machine is. Otherwise it is a failure of the model: `Policy.load_failures`
    of them block it, so that other models go on and the run comes to its end, but not before every
    device has tried.
    """
    if facts.on_trial:
        return "device_death"
    if facts.other_machine_may_load:
        return "delay_on_machine" if facts.machine_has_other_work else "delay_and_rest_machine"
    if facts.loaded_elsewhere:
        return "delay_on_device"
    return "block" if facts.failures + 1 >= policy.load_failures else "count"


def counts_against_model(verdict: LoadVerdict) -> bool:
    """Return True if the failure is one of the model's own: `load_failures + 1`."""
    return verdict in ("delay_on_device", "count", "block")
