"""A snapshot in Prometheus' text format, for the textfile collector of its node exporter.

Names and units are as in https://prometheus.io/docs/practices/naming/: base units, which the name
ends in, and no counter, since a retry takes captions back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from tui.viewmodel.snapshot import DeviceView, ModelProgress, ProjectStatus

if TYPE_CHECKING:
    from prometheus_client import Metric

    from tui.viewmodel.snapshot import Snapshot

PREFIX = "mllmaug_"
"""How all names begin."""


@dataclass(frozen=True, slots=True)
class ModelMetric:
    """A number of each model."""

    name: str
    meaning: str
    value: Callable[[ModelProgress], float]


MODEL_METRICS = (
    ModelMetric("images", "Images that the model is to caption or score.", lambda m: m.total),
    ModelMetric("done_images", "Images that it has captioned or scored.", lambda m: m.captioned),
    ModelMetric("failed_images", "Images that it failed at.", lambda m: m.failed),
    ModelMetric("left_images", "Images that it will still caption or score.", lambda m: m.left),
    ModelMetric("images_per_second", "Images that it does a second, lately.", lambda m: m.rate),
    ModelMetric(
        "model_blocked",
        "1 if no worker loads the model any more, or if it was stopped for its captions' health.",
        lambda m: m.row.blocked is not None or m.row.health_stop is not None,
    ),
)
DEVICE_METRICS: tuple[tuple[str, str, Callable[[DeviceView], float | None]], ...] = (
    ("device_memory_bytes", "Memory of the device.", lambda d: d.row.memory_total),
    ("device_memory_used_bytes", "Memory of it that is used.", lambda d: d.row.memory_used),
    ("device_temperature_celsius", "Its temperature.", lambda d: d.row.temperature),
    ("device_power_watts", "The power that it draws.", lambda d: d.row.power),
    ("device_utilisation_ratio", "How busy it is, 0 to 1.", lambda d: share(d.row.utilisation)),
)
"""The numbers of each device: name, meaning, and the value, None where it is not measured."""


def share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def prometheus_text(snapshot: Snapshot, now: float) -> bytes:
    """Return the metrics of a project that was read `now`, in seconds since the epoch."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class SnapshotCollector(Collector):
        def collect(self) -> Iterator[Metric]:
            return metrics(snapshot, now)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector())
    return generate_latest(registry)


def metrics(snapshot: Snapshot, now: float) -> Iterator[Metric]:
    """Yield all metrics; each value has the project's folder as a label."""
    from prometheus_client.core import GaugeMetricFamily

    folder = str(snapshot.folder).encode("utf-8", "backslashreplace").decode()

    def gauge(name: str, meaning: str, label: str | None, values: Mapping[str, float]) -> Metric:
        labels = ["project"] if label is None else ["project", label]
        family = GaugeMetricFamily(PREFIX + name, meaning, labels=labels)
        for labelled, value in values.items():
            family.add_metric([folder, labelled][: len(labels)], value)
        return family

    states = {state: float(state == snapshot.state) for state in get_args(ProjectStatus)}
    yield gauge("state", "1 for the state of the project, 0 for the others.", "state", states)
    tasks = {state: float(count) for state, count in snapshot.tasks.items()}
    yield gauge("tasks", "Tasks (a shard for a model) by state.", "state", tasks)
    yield gauge("workers", "Workers that are alive.", None, {"": len(snapshot.workers)})
    for metric in MODEL_METRICS:
        values = {model.row.name: float(metric.value(model)) for model in snapshot.models}
        yield gauge(metric.name, metric.meaning, "model", values)
    times = snapshot.finish_times
    finish = {m.row.name: times[m.row.id] for m in snapshot.models if m.row.id in times}
    yield gauge("eta_seconds", "Seconds until the model is done.", "model", finish)
    for name, meaning, value in DEVICE_METRICS:
        measured = {
            view.row.id: float(number)
            for view in snapshot.devices
            if (number := value(view)) is not None
        }
        yield gauge(name, meaning, "device", measured)
    yield gauge("read_timestamp_seconds", "When this was read.", None, {"": now})
