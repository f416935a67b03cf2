from __future__ import annotations

from pathlib import Path

import pytest

from engine.captioners.registry import choose
from engine.hardware.devices import cpus
from engine.images.image import ImagePaths
from engine.operations.pilot import Plan
from engine.operations.tryout import Job, Tryout, TryoutFailed
from engine.shearing.shear import Shearing
from tests.support.pictures import draw, dry_run_caption


def job(tmp_path: Path, **changes: object) -> Job:
    choice = choose("dry-run")
    for number in range(3):
        draw(tmp_path / f"{number}.png", number)
    records = [(n, f"{n}.png") for n in range(4)]
    values = {
        "family": choice.family,
        "checkpoint": None,
        "settings": choice.settings,
        "records": records,
        "paths": ImagePaths(str(tmp_path)),
        "device": cpus(1)[0],
    }
    return Job(**(values | changes))  # type: ignore[arg-type]


def test_captions_failures_and_the_rate(tmp_path: Path) -> None:
    said = list(Tryout(job(tmp_path)))
    captions = {each.record: each.raw for each in said if each.raw is not None}
    assert captions.keys() == {0, 1, 2}
    assert captions[1].startswith(dry_run_caption(tmp_path / "1.png"))
    assert [each.error[:7] for each in said if each.error] == ["missing"]
    assert said[-1].rate is not None
    assert said[-1].rate > 0


def test_what_stops_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(TryoutFailed, match="KeyError"):
        list(Tryout(job(tmp_path, family="no-such [/x]")))


def test_cancelled(tmp_path: Path) -> None:
    tryout = Tryout(job(tmp_path))
    tryout.cancel()
    assert list(tryout) == []
    assert tryout.child.poll() is not None


def test_time_for_everything() -> None:
    names = (("a", None), ("b", None))
    plan = Plan(names, (), 1_000, 2, Shearing())  # type: ignore[arg-type]
    assert plan.seconds({"a": 10.0}) is None
    assert plan.seconds({"a": 10.0, "b": 50.0}) == pytest.approx((100 + 20) / 2)
