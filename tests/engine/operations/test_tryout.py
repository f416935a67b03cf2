"""The try-out in a real process, and how long a pilot expects the whole run to take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.captioners.registry import choose
from engine.hardware.devices import cpu_devices
from engine.images.image import ImagePaths
from engine.operations.pilot import PilotPlan
from engine.operations.tryout import Tryout, TryoutFailed, TryoutJob, rate_of
from engine.shearing.shear import Shearing
from tests.support.pictures import draw_picture, dry_run_caption


def job(tmp_path: Path, **changes: object) -> TryoutJob:
    """Return a job of three images and a missing one, with some fields changed."""
    choice = choose("dry-run")
    for number in range(3):
        draw_picture(tmp_path / f"{number}.png", number)
    records = [(n, f"{n}.png") for n in range(4)]
    values = {
        "family": choice.family,
        "checkpoint": None,
        "settings": choice.settings,
        "records": records,
        "paths": ImagePaths(str(tmp_path)),
        "device": cpu_devices(1)[0],
    }
    return TryoutJob(**(values | changes))  # type: ignore[arg-type]


def test_captions_failures_and_the_rate(tmp_path: Path) -> None:
    events = list(Tryout(job(tmp_path)))
    captions = {event.record: event.raw for event in events if event.raw is not None}
    assert captions.keys() == {0, 1, 2}
    assert captions[1].startswith(dry_run_caption(tmp_path / "1.png"))
    assert [event.error[:7] for event in events if event.error] == ["missing"]
    assert events[-1].rate is not None
    assert events[-1].rate > 0


def test_an_error_that_ends_the_process_is_raised(tmp_path: Path) -> None:
    with pytest.raises(TryoutFailed, match="KeyError"):
        list(Tryout(job(tmp_path, family="no-such [/x]")))


def test_cancelled(tmp_path: Path) -> None:
    tryout = Tryout(job(tmp_path))
    tryout.cancel()
    assert list(tryout) == []
    assert tryout.child.poll() is not None


def test_a_plan_knows_the_time_once_every_model_is_measured() -> None:
    jobs = (("a", None), ("b", None))
    plan = PilotPlan(
        jobs=jobs,  # type: ignore[arg-type]
        records=(),
        total=1_000,
        devices=2,
        shearing=Shearing(),
    )
    assert plan.seconds({"a": 10.0}) is None
    assert plan.seconds({"a": 10.0, "b": 50.0}) == pytest.approx((100 + 20) / 2)


def test_a_folder_of_another_kind_is_refused_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(TryoutFailed, match=f"^{tmp_path} is an adapter, not a model: name"):
        list(Tryout(replace(job(tmp_path, family="hf"), checkpoint=str(tmp_path))))


@pytest.mark.parametrize(
    ("batches", "rate"),
    [
        ([], 0.0),
        ([(8, 4.0)], 2.0),
        ([(8, 4.0), (8, 2.0)], 4.0),
        ([(8, 4.0), (4, 1.0), (4, 1.0)], 4.0),
        # The last batch alone is too small to tell.
        ([(8, 4.0), (1, 1.0)], 1.8),
        ([(8, 0.0)], 0.0),
    ],
)
def test_the_first_batch_warms_up(batches: list[tuple[int, float]], rate: float) -> None:
    assert rate_of(batches) == pytest.approx(rate)
