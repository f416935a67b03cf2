"""Projects that begin with imported captions, and models without a family in what is done then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.captioners.registry import IMPORTED, choose
from engine.datasets.exports.export import ExportOptions, export
from engine.operations.imports.caption_import import CaptionImport
from engine.operations.new_project import CreatedProject, NewProject, create
from engine.operations.pilot import plan_pilot
from engine.operations.verify import verify
from engine.project.opening import open_project
from engine.requests.handlers import carry_out
from engine.requests.kinds import Configure, Exclude, Pin, Recheck, Request, Retry, Skip
from engine.requests.models import restarts_tasks
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.reconcile import reconcile
from engine.utils.errors import BadInput
from tests.engine.operations.imports.import_projects import (
    bring,
    captions_of,
    log_of,
    make_project,
    model_named,
    tasks_of,
    write_captions,
)

FAR = "/mnt/theirs/"


def make(folder: Path, captions: list[Path], *imports: CaptionImport) -> CreatedProject:
    """Make a project whose images need not exist."""
    new_project = NewProject(
        captions=captions,
        models=[],
        imports=imports,
        path_map=((FAR, f"{folder}/"),),
        allow_missing=True,
        shard_size=10,
    )
    return create(folder / "run", new_project)


def file_of(folder: Path, name: str, numbers: range) -> CaptionImport:
    """Write a released file with foreign paths, and return its import."""
    captions = [(f"{FAR}{n}.jpg", f"{name} {n}") for n in numbers]
    return CaptionImport(name=name, files=[write_captions(folder / f"{name}.json", captions)])


class TestNew:
    def test_released_files_alone_make_a_project(self, tmp_path: Path) -> None:
        numbers = {"llava-1.5": range(12), "otter": range(3, 15), "x": range(1, 2)}
        created = make(tmp_path, [], *(file_of(tmp_path, n, r) for n, r in numbers.items()))
        assert created.records == 15
        assert [result.appended for result in created.imports] == [12, 12, 1]
        project = created.project
        assert {model_named(project, name).family for name in numbers} == {IMPORTED}
        assert captions_of(project, "otter") == {n: f"otter {n}" for n in range(3, 15)}
        assert not verify(project.folder).damage
        out = tmp_path / "train.tsv"
        path_map = ((FAR, f"{tmp_path}/"),)
        export(project, out, ExportOptions(format="openclip", path_map=path_map))
        rows = out.read_text().splitlines()
        assert len(rows) == 26
        assert rows[1:4] == [
            f"{tmp_path}/0.jpg\tllava-1",
            f"{tmp_path}/1.jpg\tllava-1",
            f"{tmp_path}/1.jpg\tx 1",
        ]

    def test_several_captions_of_an_image_are_one_record(self, tmp_path: Path) -> None:
        captions = [("a.jpg", "one"), ("b.jpg", "two"), ("./a.jpg", "three"), ("c.jpg", "four")]
        file = write_captions(tmp_path / "x.json", captions)
        created = make(tmp_path, [], CaptionImport(name="x", files=[file, file]))
        shard = created.project.shard_file(0).read_text().splitlines()
        assert list(map(json.loads, shard)) == [{"image": f"{n}.jpg"} for n in "abc"]
        assert captions_of(created.project, "x") == {0: "one", 1: "two", 2: "four"}

    def test_imports_join_the_records_of_the_captions(self, tmp_path: Path) -> None:
        inputs = [(f"{FAR}{n}.jpg", f"alt {n}") for n in range(5)]
        captions = [write_captions(tmp_path / "c.json", inputs)]
        created = make(tmp_path, captions, file_of(tmp_path, "x", range(2, 9)))
        (result,) = created.imports
        assert (created.records, result.appended) == (5, 3)
        assert result.counts.reasons["no_record"] == 4
        noted = json.loads(created.project.inputs.read_text())
        assert [Path(each).name for each in noted] == ["c.json", "x.json"]

    def test_an_import_of_a_named_model_leaves_the_rest_to_a_run(self, tmp_path: Path) -> None:
        file = write_captions(tmp_path / "x.json", [("a.jpg", "one"), ("b.jpg", "")])
        new_project = NewProject(
            captions=[file],
            models=[choose("dry-run")],
            imports=[CaptionImport(name="dry-run", files=[file])],
            allow_missing=True,
        )
        project = create(tmp_path / "run", new_project).project
        assert [(task.state, task.left) for task in tasks_of(project, "dry-run")] == [
            ("pending", 1)
        ]

    @pytest.mark.parametrize("text", ["[]", '[{"image": 5}]', "no JSON"])
    def test_a_bad_file_leaves_nothing_behind(self, tmp_path: Path, text: str) -> None:
        captions = write_captions(tmp_path / "c.json", [("a.jpg", "alt")])
        bad = tmp_path / "bad.json"
        bad.write_text(text)
        with pytest.raises(BadInput):
            make(tmp_path, [captions], CaptionImport(name="x", files=[bad]))
        assert not (tmp_path / "run").exists()

    def test_nothing_at_all_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="--import NAME=FILE"):
            make(tmp_path, [])


class TestWithoutFamily:
    """A model that no run works on."""

    @pytest.fixture
    def state(self, tmp_path: Path) -> ProjectState:
        project = make_project(tmp_path)
        captions = [(f"train/{n:03}.jpg", f"A dog {n}") for n in range(22)]
        bring(project, "blip", write_captions(tmp_path / "b.json", captions))
        return ProjectState.load(project, Policy())

    def ids(self, state: ProjectState) -> list[int]:
        model = state.model_named("blip")
        assert model is not None
        return [t.id for t in state.ledger.tasks.values() if t.model_id == model.id]

    @pytest.mark.parametrize("failed_items", [False, True])
    def test_retry_is_refused_and_leaves_it_alone_among_others(
        self, state: ProjectState, failed_items: bool
    ) -> None:
        ids = self.ids(state)
        answer = carry_out(state, Retry(tasks=ids, failed_items=failed_items), None)
        assert (answer.state, "'import' them" in answer.text) == ("refused", True)
        everything = list(state.ledger.tasks)
        answer = carry_out(state, Retry(tasks=everything), None)
        assert answer.text == "retry of 3 tasks; 3 left as they are (imported)"
        assert {state.ledger[task_id].state for task_id in ids} == {"done"}

    @pytest.mark.parametrize(
        ("request_made", "said"),
        [
            (Pin(device="cpu:0", model="blip"), "no device works on blip"),
            (Configure(model="blip", changes={"batch": "4"}), "blip has no settings"),
            (Configure(model="blip", changes={"preset": "paper"}), "blip has no settings"),
        ],
    )
    def test_pin_and_set_are_refused(
        self, state: ProjectState, request_made: Request, said: str
    ) -> None:
        answer = carry_out(state, request_made, None)
        assert answer.state == "refused"
        assert said in answer.text
        with pytest.raises(BadInput, match="has no settings"):
            restarts_tasks(state.project, "blip", {"batch": "4"})

    def test_pilot_passes_over_it(self, state: ProjectState) -> None:
        assert [name for name, _ in plan_pilot(state.project, "cpu").jobs] == ["dry-run"]
        with pytest.raises(BadInput, match="no model to try"):
            plan_pilot(state.project, "cpu", names=["blip"])

    def test_exclude_works_and_an_import_respects_it(
        self, state: ProjectState, tmp_path: Path
    ) -> None:
        task_id = self.ids(state)[2]
        answer = carry_out(state, Exclude(records=[(task_id, [2])]), None)
        assert answer.state == "done"
        state.commit()
        captions = [(f"train/{n:03}.jpg", f"A cat {n}") for n in (22, 23)]
        result = bring(state.project, "blip", write_captions(tmp_path / "c.json", captions))
        assert (result.appended, result.counts.reasons["excluded"]) == (1, 1)
        assert set(log_of(state.project, "blip", 2).captions) == {0, 1, 3}

    def test_a_lost_log_fails_its_task_and_an_import_mends_it(
        self, state: ProjectState, tmp_path: Path
    ) -> None:
        project, task_id = state.project, self.ids(state)[1]
        model = model_named(project, "blip")
        project.caption_log_file(model, 1).unlink()
        carry_out(state, Recheck(tasks=[task_id]), None)
        assert state.ledger[task_id].state == "failed"
        carry_out(state, Skip(tasks=[task_id]), None)
        carry_out(state, Skip(tasks=[task_id], skip=False), None)
        task = state.ledger[task_id]
        assert (task.state, task.error_cause) == ("failed", "log_incomplete")
        assert "import its files again" in str(task.error)
        state.commit()
        bring(project, "blip", tmp_path / "b.json")
        assert {task.state for task in tasks_of(project, "blip")} == {"done"}
        assert len(captions_of(project, "blip")) == 22

    def test_a_run_has_nothing_to_wait_for(self, state: ProjectState) -> None:
        project = state.project
        project.caption_log_file(model_named(project, "blip"), 0).unlink()
        project.database.unlink()  # then every task is pending
        open_project(project.folder)
        state = ProjectState.load(project, Policy())
        reconcile(state)
        assert [state.ledger[task_id].state for task_id in self.ids(state)] == [
            "failed",
            "done",
            "done",
        ]
