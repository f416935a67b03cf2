"""When models will be done: a function of what is left and of how fast devices work now."""

from __future__ import annotations

from collections.abc import Mapping


def finish_times(left: Mapping[int, int], rates: Mapping[int, float]) -> dict[int, float]:
    """Return the seconds until each model that has images left is done, by model id.

    Empty while no device works.
    `left` are the images that each model has left; `rates` are the images per second of the devices
    that work on it now, where any do. A device that is done with a model goes on as fast with the
    one that has most left (`engine.supervisor.scheduler`): when the last model is done, all are.
    """
    remaining = {model: float(count) for model, count in left.items() if count > 0}
    times: dict[int, float] = {}
    speed = {model: rates.get(model, 0.0) for model in remaining}
    freed = sum(rate for model, rate in rates.items() if model not in remaining)
    now = 0.0
    while remaining:
        speed[max(remaining, key=lambda model: remaining[model])] += freed
        if not any(speed.values()):
            return {}
        seconds, model = min((remaining[m] / speed[m], m) for m in remaining if speed[m] > 0)
        now += seconds
        remaining = {m: max(0.0, n - speed[m] * seconds) for m, n in remaining.items()}
        times[model] = now
        del remaining[model]
        freed = speed.pop(model)
    return times
