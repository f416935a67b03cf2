"""Imports of captions that were made elsewhere: what is in logs and tracker afterwards."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from db import progress
from db.connection import reading
from engine.captioners.registry import IMPORTED, choose
from engine.datasets.exports.export import ExportOptions, export
from engine.datasets.inputs.read_options import ReadOptions
from engine.operations.imports.caption_import import CaptionImport, import_captions
from engine.operations.records import read_samples
from engine.operations.verify import verify
from engine.project import manifest
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.project.opening import open_project
from engine.protocol.caption_row import ImportedRow
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.reconcile import reconcile
from engine.utils.errors import BadInput, RequestRefused
from tests.engine.operations.imports.import_projects import (
    RECORDS,
    bring,
    captions_of,
    files_of,
    image,
    log_of,
    make_project,
    model_named,
    tasks_of,
    write_captions,
)
from tests.support.pictures import draw_picture
from tui.formatting.captions import summary


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)


def some(tmp_path: Path, numbers: range, said: str = "A dog") -> Path:
    """Write a file with a caption for each of these records."""
    captions = [(image(n), f"{said} {n}. And more") for n in numbers]
    return write_captions(tmp_path / f"{said}-{numbers.start}.json", captions)


class TestNewModel:
    def test_every_record_gets_its_caption_or_a_failure(
        self, project: Project, tmp_path: Path
    ) -> None:
        result = bring(project, "blip", some(tmp_path, range(3, 23)))
        assert (result.is_new, result.runs) == (True, False)
        assert (result.captions, result.appended) == (20, 20)
        assert (result.without, result.missing) == (5, 5)
        assert captions_of(project, "blip") == {n: f"A dog {n}. And more" for n in range(3, 23)}
        tasks = tasks_of(project, "blip")
        assert {task.state for task in tasks} == {"done"}
        assert [(task.captioned, task.failed) for task in tasks] == [(7, 3), (10, 0), (3, 2)]
        assert {row.error for row in log_of(project, "blip", 2).errors.values()} == {"not_imported"}

    def test_its_row_has_no_checkpoint_and_outlives_the_tracker(
        self, project: Project, tmp_path: Path
    ) -> None:
        bring(project, "llava-1.5", some(tmp_path, range(RECORDS)))
        model = model_named(project, "llava-1.5")
        assert (model.family, model.checkpoint, model.settings) == (IMPORTED, None, {})
        assert model.folder == "llava-1.5-imported"
        project.database.unlink()
        open_project(project.folder)
        state = ProjectState.load(project, Policy())
        reconcile(state)
        state.commit()
        assert {task.state for task in tasks_of(project, "llava-1.5")} == {"done"}
        assert [m.name for m in manifest.load(project)[1]] == ["dry-run", "llava-1.5"]

    def test_rows_say_their_source(self, project: Project, tmp_path: Path) -> None:
        bring(project, "blip", some(tmp_path, range(1)))
        log = project.caption_log_file(model_named(project, "blip"), 0)
        assert json.loads(log.read_bytes().partition(b"\n")[0]) == {
            "i": 0,
            "raw": "A dog 0. And more",
            "tokens": 0,
            "finish": "stop",
            "source": "imported",
        }

    def test_samples_exports_and_verify_treat_it_as_any_other(
        self, project: Project, tmp_path: Path
    ) -> None:
        bring(project, "blip", some(tmp_path, range(RECORDS)))
        (sample,) = read_samples(project, 1, ["blip"])
        caption = sample.captions[0]
        assert (caption.raw, caption.sheared) == ("A dog 0. And more", "A dog 0")
        assert (caption.tokens, caption.finish) == (None, "imported")
        assert summary(caption) == "kept 3/5 words, imported"
        out = tmp_path / "out.jsonl"
        export(
            project,
            out,
            ExportOptions(models=("blip",), format="jsonl", provenance=True, min_words=2),
        )
        lines = out.read_text().splitlines()
        assert len(lines) == RECORDS
        assert json.loads(lines[7]) == {
            "image": image(7),
            "caption": "A dog 7",
            "model": "blip",
            "checkpoint": None,
            "prompt": None,
            "seed": None,
            "finish": "imported",
        }
        assert not verify(project.folder).damage

    def test_the_screens_have_samples_of_it(self, project: Project, tmp_path: Path) -> None:
        bring(project, "blip", some(tmp_path, range(3, 23)))
        with reading(project.database) as connection:
            samples = {row.shard * 10 + row.i: row for row in progress.samples(connection, 99)}
        assert set(samples) == set(range(3, 23))
        assert (samples[4].raw, samples[4].sheared) == ("A dog 4. And more", "A dog 4")
        assert samples[4].finish == "imported"
        assert (samples[4].image, samples[4].original) == (image(4), f"alt of {image(4)}")

    def test_names_that_no_folder_may_have_are_refused(
        self, project: Project, tmp_path: Path
    ) -> None:
        with pytest.raises(BadInput, match="cannot name a model"):
            bring(project, "../x", some(tmp_path, range(1)))


class TestAgain:
    def test_the_same_file_changes_nothing(self, project: Project, tmp_path: Path) -> None:
        file = some(tmp_path, range(20))
        bring(project, "blip", file)
        files, tasks = files_of(project), tasks_of(project, "blip")
        for replace in (False, True):
            result = bring(project, "blip", file, replace=replace)
            assert (result.appended, result.is_new) == (0, False)
            assert sum(result.counts.reasons.values()) == 20
            assert files_of(project) == files
            assert tasks_of(project, "blip") == tasks

    def test_another_file_fills_what_the_first_lacked(
        self, project: Project, tmp_path: Path
    ) -> None:
        bring(project, "blip", some(tmp_path, range(12)))
        result = bring(project, "blip", some(tmp_path, range(5, RECORDS), "A cat"))
        assert (result.appended, result.without, result.missing) == (13, 5, 0)
        assert result.counts.reasons["there"] == 7
        expected = {n: f"A {'dog' if n < 12 else 'cat'} {n}. And more" for n in range(RECORDS)}
        assert captions_of(project, "blip") == expected
        assert [task.failed for task in tasks_of(project, "blip")] == [0, 0, 0]
        assert not verify(project.folder).damage

    def test_replace_puts_others_in_their_place(self, project: Project, tmp_path: Path) -> None:
        bring(project, "blip", some(tmp_path, range(RECORDS)))
        result = bring(project, "blip", some(tmp_path, range(4, 6), "A cat"), replace=True)
        assert (result.appended, result.replaced) == (2, 2)
        captions = captions_of(project, "blip")
        assert (captions[3], captions[4]) == ("A dog 3. And more", "A cat 4. And more")
        assert {task.state for task in tasks_of(project, "blip")} == {"done"}
        assert not verify(project.folder).damage

    def test_of_several_files_the_first_counts_or_the_last(
        self, project: Project, tmp_path: Path
    ) -> None:
        dogs, cats = some(tmp_path, range(10)), some(tmp_path, range(5, 15), "A cat")
        bring(project, "first", dogs, cats)
        bring(project, "last", dogs, cats, replace=True)
        assert captions_of(project, "first")[7].startswith("A dog")
        assert captions_of(project, "last")[7].startswith("A cat")
        assert len(captions_of(project, "first")) == len(captions_of(project, "last")) == 15


class TestModelOfTheProject:
    def test_a_run_goes_on_with_the_rest(self, project: Project, tmp_path: Path) -> None:
        result = bring(project, "dry-run", some(tmp_path, range(4, 20)))
        assert (result.runs, result.without, result.missing) == (True, 9, 9)
        tasks = tasks_of(project, "dry-run")
        assert [(task.state, task.captioned, task.left) for task in tasks] == [
            ("pending", 6, 4),
            ("done", 10, 0),
            ("pending", 0, 5),
        ]
        assert isinstance(log_of(project, "dry-run", 0).captions[4], ImportedRow)

    def test_failed_records_of_a_finished_task_get_theirs(
        self, project: Project, tmp_path: Path
    ) -> None:
        finish_with_failures(project)
        bring(project, "dry-run", some(tmp_path, range(2, 9)))
        tasks = tasks_of(project, "dry-run")
        assert {task.state for task in tasks} == {"done"}
        assert [(task.captioned, task.failed) for task in tasks] == [(7, 3), (0, 10), (0, 5)]
        assert not verify(project.folder).damage

    def test_excluded_records_stay_excluded(self, project: Project, tmp_path: Path) -> None:
        state = finish_with_failures(project)
        from engine.requests.handlers import carry_out
        from engine.requests.kinds import Exclude

        task = next(iter(state.ledger.tasks.values()))
        carry_out(state, Exclude(records=[(task.id, [2, 3])]), None)
        state.commit()
        result = bring(project, "dry-run", some(tmp_path, range(10)), replace=True)
        assert (result.appended, result.counts.reasons["excluded"]) == (8, 2)

    def test_a_new_model_may_have_a_family(self, project: Project, tmp_path: Path) -> None:
        choice = choose("served=http://localhost:8000/v1")
        bring(project, "served", some(tmp_path, range(10)), choice=choice)
        assert model_named(project, "served").family == "endpoint"
        states = [task.state for task in tasks_of(project, "served")]
        assert states == ["done", "pending", "pending"]
        result = bring(project, "served", some(tmp_path, range(12)), choice=choice)
        assert (result.appended, result.is_new) == (2, False), "the same command once more"
        other = choose("served=http://localhost:9000/v1")
        with pytest.raises(BadInput, match="has a model served already"):
            bring(project, "served", some(tmp_path, range(10)), choice=other)


def finish_with_failures(project: Project) -> ProjectState:
    """Give every record of the model `dry-run` a failure, as a run without images does."""
    state = ProjectState.load(project, Policy())
    for shard, count in enumerate((10, 10, 5)):
        log = project.caption_log_file(model_named(project, "dry-run"), shard)
        log.parent.mkdir(parents=True, exist_ok=True)
        rows = ({"i": i, "error": "missing", "detail": "gone"} for i in range(count))
        log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    reconcile(state)
    state.commit()
    return state


class TestMatching:
    def test_paths_are_matched_after_the_path_map(self, project: Project, tmp_path: Path) -> None:
        captions = [(f"/mnt/x/{image(n)}", f"A dog {n}") for n in range(3)]
        file = write_captions(tmp_path / "foreign.json", captions)
        with pytest.raises(BadInput, match="try --path-map /mnt/x/="):
            bring(project, "blip", file)
        bring(project, "blip", file, path_map=(("/mnt/x/", ""),))
        assert set(captions_of(project, "blip")) == {0, 1, 2}

    def test_nothing_changes_where_nothing_matches(self, project: Project, tmp_path: Path) -> None:
        before = project.manifest.read_bytes()
        with pytest.raises(BadInput, match="no image such as zzz"):
            bring(project, "blip", write_captions(tmp_path / "none.json", [("zzz.jpg", "A dog")]))
        assert project.manifest.read_bytes() == before
        assert not files_of(project)

    def test_ways_to_write_one_path_are_one(self, project: Project, tmp_path: Path) -> None:
        root = tmp_path.absolute()
        ways = [
            f"./{image(0)}",
            f"{root}/{image(1)}",
            f"train//{Path(image(2)).name}",
            f"x/../{image(3)}",
            f"../{root.name}/{image(4)}",
        ]
        bring(project, "blip", write_captions(tmp_path / "w.json", [(w, "A dog") for w in ways]))
        assert set(captions_of(project, "blip")) == {0, 1, 2, 3, 4}

    def test_the_projects_path_map_holds_for_both(self, tmp_path: Path) -> None:
        images = [f"/far/{image(n)}" for n in range(4)]
        project = make_project(tmp_path, images, path_map=(("/far/", f"{tmp_path}/"),))
        captions = [(images[0], "as written"), (f"{tmp_path}/{image(1)}", "as it lies")]
        bring(project, "blip", write_captions(tmp_path / "b.json", captions))
        assert captions_of(project, "blip") == {0: "as written", 1: "as it lies"}

    def test_what_is_not_taken_is_counted_with_examples_and_listed(
        self, project: Project, tmp_path: Path
    ) -> None:
        captions = [
            (image(0), "A dog"),
            (image(0), "A second one"),
            ("stranger.jpg", "A dog"),
            (image(1), ""),
            (image(2), " \n"),
        ]
        listing = tmp_path / "left-out.jsonl"
        file = write_captions(tmp_path / "b.json", captions)
        result = bring(project, "blip", file, listing=listing)
        assert result.counts.reasons == Counter(another=1, no_record=1, no_text=2, no_caption=24)
        assert result.counts.examples["no_record"] == ["stranger.jpg"]
        listed = list(map(json.loads, listing.read_text().splitlines()))
        assert Counter(each["why"] for each in listed) == result.counts.reasons
        assert {"why": "no_record", "of": "stranger.jpg", "file": str(file)} in listed
        assert {"why": "no_caption", "of": "2:4"} in listed
        with pytest.raises(BadInput, match="exists"):
            bring(project, "blip", file, listing=listing)

    def test_which_chooses_among_the_captions_of_an_image(
        self, project: Project, tmp_path: Path
    ) -> None:
        captions = [(image(0), "first"), (image(1), "only"), (image(0), "second")]
        file = write_captions(tmp_path / "b.json", captions)
        result = bring(project, "blip", file, which=2)
        assert captions_of(project, "blip") == {0: "second"}
        assert result.counts.examples["fewer"] == ["0:1"]
        assert result.appended + result.counts.reasons["another"] == result.captions
        assert "1 record with fewer captions in a file" in "".join(result.lines())
        with pytest.raises(BadInput, match="no image has as many captions"):
            bring(project, "blip", file, which=3)

    def test_records_of_one_image_all_get_its_caption(self, tmp_path: Path) -> None:
        images = [image(0), image(1), image(0), *map(image, range(2, 12)), image(0)]
        project = make_project(tmp_path, images)
        captions = [(image(1), "b"), (image(0), "a"), (image(0), "z")]
        result = bring(project, "blip", write_captions(tmp_path / "b.json", captions))
        assert captions_of(project, "blip") == {0: "a", 1: "b", 2: "a", 13: "a"}
        assert (result.counts.reasons["twins"], result.counts.reasons["another"]) == (1, 1)
        assert result.appended == 4

    def test_captions_in_any_order_and_odd_texts_arrive(self, tmp_path: Path) -> None:
        images = [f"dir {n}/ü{n}.jpg" for n in range(30)]
        project = make_project(tmp_path, images)
        odd = ['"quoted" and \\', "line\nbreak", "\ud83d", "a\u2028b", "\0", "<b>", " A"]
        expected = {n: odd[n % len(odd)] for n in range(30)}
        captions = [(images[n], text) for n, text in reversed(expected.items())]
        bring(project, "blip", write_captions(tmp_path / "b.json", captions))
        assert captions_of(project, "blip") == expected

    def test_a_caption_that_no_log_can_hold_is_counted(
        self, project: Project, tmp_path: Path
    ) -> None:
        captions = [(image(0), "x" * (2**20 + 1)), (image(1), "A dog")]
        result = bring(project, "blip", write_captions(tmp_path / "b.json", captions))
        assert result.counts.reasons["too_long"] == 1
        assert set(captions_of(project, "blip")) == {1}


class TestFiles:
    @pytest.mark.parametrize("end", ["", ",", ', {"image": "tr', ', {"image": "train/7', ", "])
    def test_an_array_that_is_cut_off_is_read_as_far_as_it_goes(
        self, project: Project, tmp_path: Path, end: str
    ) -> None:
        file = some(tmp_path, range(5))
        file.write_text(file.read_text()[:-1] + end)
        result = bring(project, "blip", file)
        assert set(captions_of(project, "blip")) == {0, 1, 2, 3, 4}
        assert len(result.cut) == 1
        assert "its 5 complete records were read" in result.cut[0]

    def test_lines_that_are_cut_off_are_read_as_far_as_they_go(
        self, project: Project, tmp_path: Path
    ) -> None:
        file = tmp_path / "b.jsonl"
        lines = [json.dumps({"image": image(n), "caption": "A dog"}) for n in range(3)]
        file.write_text("\n".join([*lines, '{"image": "train/']))
        assert len(bring(project, "blip", file).cut) == 1
        assert set(captions_of(project, "blip")) == {0, 1, 2}

    def test_a_bad_record_in_the_middle_is_an_error_or_left_out(
        self, project: Project, tmp_path: Path
    ) -> None:
        file = tmp_path / "b.json"
        records = [{"image": image(0), "caption": "A dog"}, 5, {"image": image(1), "caption": "b"}]
        file.write_text(json.dumps(records))
        with pytest.raises(BadInput, match="--skip-bad"):
            bring(project, "blip", file)
        result = bring(project, "blip", file, skip_bad=True)
        assert result.report.skipped.count == 1
        assert set(captions_of(project, "blip")) == {0, 1}

    def test_another_projects_export_of_columns(self, project: Project, tmp_path: Path) -> None:
        file = tmp_path / "columns.jsonl"
        rows = [{"image": image(n), "otter": f"o {n}", "blip": f"b {n}"} for n in range(3)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        options = ReadOptions(caption_column="blip", several_captions="each")
        bring(project, "blip", file, options=options)
        assert captions_of(project, "blip") == {0: "b 0", 1: "b 1", 2: "b 2"}

    def test_tables_and_folders_are_read_too(self, project: Project, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text(f"filepath,title\n{image(0)},A dog\n")
        folder = tmp_path / "train"
        folder.mkdir()
        (folder / "001.jpg").write_bytes(b"x")
        (folder / "001.txt").write_text("A person's words")
        bring(project, "person", tmp_path / "t.csv", folder)
        assert captions_of(project, "person") == {0: "A dog", 1: "A person's words"}

    def test_the_tars_of_an_export(self, tmp_path: Path) -> None:
        for number in range(3):
            draw_picture(tmp_path / image(number), number)
        project = make_project(tmp_path, [image(n) for n in range(3)])
        bring(project, "blip", some(tmp_path, range(3)))
        bring(project, "otter", some(tmp_path, range(1, 3), "A cat"))
        out = tmp_path / "out"
        options = ExportOptions(format="wds", models=("blip", "otter"), text="expand")
        export(project, out, options)
        (tmp_path / "again").mkdir()
        again = make_project(tmp_path / "again", [image(n) for n in range(3)])
        columns = ReadOptions(caption_column="otter", several_captions="each")
        bring(again, "otter", out, options=columns)
        assert captions_of(again, "otter") == {1: "A cat 1", 2: "A cat 2"}
        with pytest.raises(BadInput, match="name their key or column with --caption-column"):
            bring(again, "x", out)
        with pytest.raises(BadInput, match="no record has 'none'"):
            bring(again, "x", out, options=ReadOptions(caption_column="none"))

    def test_names_that_an_export_gave_are_said(self, project: Project, tmp_path: Path) -> None:
        folder = tmp_path / "sidefiles"
        folder.mkdir()
        (folder / "000000001.jpg").write_bytes(b"x")
        (folder / "000000001.txt").write_text("A dog")
        with pytest.raises(BadInput, match=r"gave the images these names \(sidefiles, wds\)"):
            bring(project, "blip", folder)


class TestRefusals:
    def test_while_another_process_has_the_project(self, project: Project, tmp_path: Path) -> None:
        with ProjectLock(project.lock), pytest.raises(RequestRefused, match="'stop' it, import"):
            bring(project, "blip", some(tmp_path, range(1)))

    def test_of_a_project_with_a_damaged_shard(self, project: Project, tmp_path: Path) -> None:
        shard = project.shard_file(1)
        shard.write_bytes(shard.read_bytes().replace(b"alt", b"ALT"))
        with pytest.raises(BadInput, match="was changed since the input was split"):
            bring(project, "blip", some(tmp_path, range(1)))
        assert not files_of(project)

    def test_of_a_list_in_the_place_of_an_input(self, project: Project, tmp_path: Path) -> None:
        file = some(tmp_path, range(1))
        with pytest.raises(BadInput, match="is an input"):
            import_captions(
                project, CaptionImport(name="blip", files=[file], listing=file, force=True)
            )

    def test_a_damaged_log_is_set_aside_first(self, project: Project, tmp_path: Path) -> None:
        bring(project, "blip", some(tmp_path, range(RECORDS)))
        log = project.caption_log_file(model_named(project, "blip"), 1)
        log.write_bytes(log.read_bytes().replace(b"A dog", b"A cow"))
        bring(project, "blip", some(tmp_path, range(RECORDS)), replace=True)
        assert captions_of(project, "blip")[12] == "A dog 12. And more"
        assert len(list(log.parent.glob("*.damaged-*"))) == 1
        assert not verify(project.folder).damage
