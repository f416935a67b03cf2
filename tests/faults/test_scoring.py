"""Scorers in processes of their own: each caption has its score, whatever is killed or changed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from db import projects
from db.connection import reading
from engine.captioners.model_families import FAMILIES
from engine.captioners.registry import choose
from engine.operations import run_control
from engine.operations.records import read_record
from engine.operations.reshear import reshear
from engine.operations.verify import verify
from engine.project.layout import Project
from engine.project.score_log import read_scores
from engine.project.scored_texts import texts_to_score
from engine.quality.caption_digest import caption_digest
from engine.requests.kinds import AddModel, Retry
from engine.shearing.shear import Shearing
from tests.faults.support.projects import exported_bytes, tasks
from tests.faults.support.supervisor_process import SupervisorProcess
from tests.sim.scores import scored
from tests.support.cli import cli, status
from tests.support.fake_scorer import FAMILY, fake_score
from tests.support.waiting import wait_for
from tui.cli.output import sample_lines

WORKER = "tests.support.fake_scorer"


@pytest.fixture
def scored_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of three shards with a scorer, which was added later."""
    monkeypatch.setitem(FAMILIES, FAMILY.name, FAMILY)
    run_control.send_request(project, AddModel(choice=choose(f"clip={FAMILY.name}")))
    return project


def run_to_the_end(project: Project) -> None:
    with SupervisorProcess(project, module=WORKER) as running:
        assert running.wait() == 0
    assert {task.state for task in tasks(project)} == {"done"}


def score_logs(project: Project) -> list[Path]:
    return sorted(project.captions.glob("clip-*/?????.jsonl"))


def check_scores(project: Project) -> int:
    """Check that each present caption has its score; return the number of captions."""
    with reading(project.database) as connection:
        models, shards = projects.models(connection), projects.shards(connection)
        shearing = Shearing.of(projects.project(connection))
    (scorer,) = (model for model in models if model.name == "clip")
    captions = 0
    for shard in shards:
        scores = read_scores(project, scorer, shard)
        for i, texts in enumerate(texts_to_score(project, shard, models, shearing)):
            assert len(texts) == 3, "the original, and the caption raw and sheared"
            assert {key: scores[i][key] for key in texts} == {key: fake_score(key) for key in texts}
            captions += len(texts)
    return captions


def scores_by_name(text: str) -> dict[str, float]:
    return {"clip": fake_score(caption_digest(text))}


def scored_twice(project: Project) -> Counter[object]:
    times = Counter[object]()
    for log in score_logs(project):
        times += Counter({(log.name, *key): n for key, n in scored(log.read_bytes(), 20).items()})
    return Counter({key: n for key, n in times.items() if n > 1})


def test_every_caption_is_scored_and_the_export_stays_the_same(
    scored_project: Project, undisturbed_export: bytes
) -> None:
    run_to_the_end(scored_project)
    assert check_scores(scored_project) == 180
    assert exported_bytes(scored_project) == undisturbed_export
    assert not verify(scored_project.folder).damage
    models = status(scored_project.folder)["models"]
    assert ["scored" in model for model in models] == [False, True]
    sample = read_record(scored_project, 1, 3)
    assert sample is not None
    (caption,) = sample.captions
    assert sample.original_scores == scores_by_name(sample.original)
    assert caption.scores == scores_by_name(caption.sheared or "")
    assert caption.raw_scores == scores_by_name(caption.raw or "")
    printed = "\n".join(sample_lines(sample))
    assert f"scores: clip {sample.original_scores['clip']:.3f}" in printed
    assert f"of the raw text clip {caption.raw_scores['clip']:.3f}" in printed
    refused = cli("stats", scored_project.folder, "--model", "clip")
    assert (refused.returncode, refused.stderr.count("clip is a scorer")) == (2, 1)


def test_a_killed_run_goes_on_and_scores_nothing_twice(scored_project: Project) -> None:
    with SupervisorProcess(scored_project, module=WORKER) as running:
        wait_for(lambda: any(log.stat().st_size for log in score_logs(scored_project)))
        running.kill()
    run_to_the_end(scored_project)
    assert check_scores(scored_project) == 180
    assert not scored_twice(scored_project)


def test_what_shearing_and_a_retry_change_is_scored_anew(scored_project: Project) -> None:
    run_to_the_end(scored_project)
    before = {log: log.read_bytes() for log in score_logs(scored_project)}
    result = reshear(scored_project, Shearing(mode="sentence", max_words=2))
    assert "the next run scores the new ones in 3 tasks" in result.summary("sentence")
    run_control.send_request(scored_project, Retry(tasks=[tasks(scored_project)[0].id]))
    run_to_the_end(scored_project)
    assert check_scores(scored_project) == 180
    for log, data in before.items():
        assert log.read_bytes().startswith(data)
    assert not scored_twice(scored_project)
    rows = [row for log in before for row in log.read_bytes().splitlines()]
    assert len(rows) == 120, "each image once, and once more for its caption of two words"


def test_a_lost_tracker_is_rebuilt_with_the_scores(scored_project: Project) -> None:
    run_to_the_end(scored_project)
    before = {log: log.read_bytes() for log in score_logs(scored_project)}
    scored_project.database.unlink()
    run_to_the_end(scored_project)
    assert {log: log.read_bytes() for log in score_logs(scored_project)} == before


def test_a_damaged_log_of_scores_is_found_and_made_good(scored_project: Project) -> None:
    run_to_the_end(scored_project)
    log = score_logs(scored_project)[1]
    log.write_bytes(log.read_bytes().replace(b'"scores"', b'"scorex"', 1))
    (damage,) = verify(scored_project.folder).damage
    assert damage.path == log
    run_to_the_end(scored_project)
    assert check_scores(scored_project) == 180
