"""The commands of one project: their output, exit codes, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from db import supervisor_writes
from db.connection import writing
from db.rows import SupervisorRow
from engine.operations import run_control
from engine.process import identity
from engine.project.opening import open_project
from engine.utils.errors import BadInput
from tests.support.cli import cli, cli_ok, start_cli, status
from tests.support.forked import ForkedCommand
from tests.support.pictures import make_captions
from tests.support.waiting import TIMEOUT_SECONDS
from tui.viewmodel import actions


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    return make_captions(tmp_path / "data", 5)


@pytest.fixture
def project(tmp_path: Path, captions: Path) -> Path:
    cli_ok("new", tmp_path / "run", captions, "--model", "dry-run", "--shard-size", 2)
    return tmp_path / "run"


def refused(*arguments: object) -> str:
    """Run a command that must fail with exit code 2, and return its message."""
    done = cli(*arguments)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr.strip()


def test_bad_input_ends_the_process_with_exit_code_2(tmp_path: Path) -> None:
    done = start_cli("status", tmp_path)
    assert len(done.communicate(timeout=TIMEOUT_SECONDS)[0].splitlines()) == 1
    assert done.returncode == 2


def test_a_run_uses_the_devices_of_the_last_run(project: Path) -> None:
    opened = open_project(project)
    assert run_control.last_devices(opened) == "auto"
    cli_ok("run", project, "--devices", "cpu:2")
    cli_ok("retry", project, "--shard", 0)
    again = cli("run", project)
    assert (again.returncode, "on cpu:2, where it ran last" in again.stderr) == (0, True)
    cli_ok("retry", project, "--shard", 0)
    assert "where it ran" not in cli("run", project, "--devices", "auto").stderr
    assert run_control.last_devices(opened) == "auto"


def test_a_run_on_a_lost_cluster_does_not_move_to_this_machine(project: Path) -> None:
    opened, cluster = open_project(project), "ray:127.0.0.1:9"
    with writing(opened.database) as connection:
        supervisor_writes.save_supervisor(
            connection,
            SupervisorRow(
                pid=1,
                created=0.0,
                boot_id=identity.boot_id(),
                host="host",
                heartbeat=0.0,
                devices=cluster,
            ),
        )
        supervisor_writes.forget_supervisor(connection)
    assert status(project)["supervisor"] is None
    assert f"on {cluster}, where it ran last (otherwise: --devices auto)" in refused("run", project)
    with pytest.raises(BadInput, match="u chooses other devices"):
        actions.start(opened)
    assert status(project)["tasks"]["pending"] == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "neither a JSON array"),
        ('{"a": 1}', "no 'image'"),
        ("[1, 2]", "record 0: not an"),
        ('[{"caption": "no image"}]', "record 0: no 'image'"),
        ("[]", "array is empty"),
        ("", "is empty"),
        ('[{"image": "images/000000.png"}, {"image": "a"', "not JSON"),
    ],
)
def test_new_refuses_bad_captions_and_leaves_nothing(
    tmp_path: Path, captions: Path, content: str, message: str
) -> None:
    captions.write_text(content)
    error = refused("new", tmp_path / "run", captions, "--model", "dry-run")
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_new_leaves_the_files_of_an_existing_folder(tmp_path: Path, captions: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    captions.write_text("[")
    refused("new", tmp_path / "run", captions, "--model", "dry-run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_new_refuses_an_occupied_folder_and_keeps_it(project: Path, captions: Path) -> None:
    before = (project / "project.db").read_bytes()
    assert "already holds a project" in refused("new", project, captions, "--model", "dry-run")
    assert (project / "project.db").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "gpt-9"], "unknown model 'gpt-9': one of llava-1.5"),
        (["--model", "otter=dry-run:"], "otter is itself a family"),
        (["--model", "../x=dry-run:"], "cannot name a model"),
        (["--model", "mine=hf"], "mine needs a checkpoint: --model mine=hf:FOLDER"),
        (["--model", "mine=hf:nowhere"], "no such checkpoint folder"),
        ([], "name at least one model"),
        (["--model", "dry-run", "--model", "dry-run"], "named twice"),
        (["--model", "dry-run=/tmp"], "takes no checkpoint"),
        (["--model", "llava-1.5"], "needs a checkpoint"),
        (["--model", "llava-1.5=/nowhere/at/all"], "no such checkpoint folder"),
        (["--model", "dry-run", "--shards", "6"], "6 shards are more than the 5 records"),
        (["--model", "dry-run", "--shards", "2", "--shard-size", "2"], "not both"),
        (["--model", "dry-run", "--shard-size", "0"], "--shard-size"),
        (["--model", "dry-run", "--path-map", "nonsense"], "OLD=NEW"),
        (["--model", "dry-run", "--image-root", "/nowhere"], "0 of the first 5 images were found"),
        (["--model", "dry-run", "--image-root", "/"], "0 of the first 5 images were found"),
    ],
)
def test_new_refuses_bad_options_and_leaves_nothing(
    tmp_path: Path, captions: Path, arguments: list[str], message: str
) -> None:
    assert message in refused("new", tmp_path / "run", captions, *arguments)
    assert not (tmp_path / "run").exists()


def test_an_incomplete_checkpoint_is_named_file_by_file(tmp_path: Path, captions: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model-1.safetensors").write_bytes(b"x")
    error = refused("new", tmp_path / "run", captions, "--model", f"llava-1.5={folder}")
    assert "lacks model-2.safetensors;" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "{tmp}/nowhere"], "holds no project"),
        (["run", "{run}", "--devices", "gpu"], "use auto, cpu"),
        (["run", "{run}", "--devices", "cpu:x"], "how many CPU workers"),
        (["run", "{run}", "--devices", "77"], "there is no GPU 77"),
        (["run", "{run}", "--devices", "cpu:99999999999999999999"], "From cpu:1 to cpu:1024"),
        (["retry", "{run}", "--shard", "9"], "they are 0 to 2"),
        (["retry", "{run}", "--shard", "99999999999999999999"], "they are 0 to 2"),
        (["exclude", "{run}", "--shard", "9" * 20, "--record", "0"], "there is no shard"),
        (["exclude", "{run}", "--shard", "0", "--record", "9"], "shard 0 has 0 to 1"),
        (["exclude", "{run}", "--shard", "0", "--record", "-1"], "write SHARD:PLACE"),
        (["exclude", "{run}", "--shard", "0", "--record", "0", "--undo"], "nothing to take back"),
        (["priority", "{run}", "--shard", "0", "--by", "9" * 20], "is not in the range"),
        (["pin", "{run}", "cuda:0", "otter"], "it has dry-run"),
        (["flag", "{run}", "9" * 5000 + ":1"], "write SHARD:PLACE"),
        (["doctor", "--set", "otter.batch=1"], "give --model with the same name, too"),
        (["failures", "{run}", "--csv", "{tmp}/x", "--json"], "neither --by nor --json"),
        (["failures", "{run}", "--csv", "{tmp}/x", "--by", "model"], "neither --by nor --json"),
        (["failures", "{run}", "--images", "--json"], "give none of --csv, --by, --json"),
        (["failures", "{run}", "--force"], "--force needs --csv"),
        (["failures", "{run}", "--cause", "x", "--by", "model"], "nothing to group"),
        (["demo", "{run}", "--headless"], "holds a project that is not a demo"),
        (["demo", "/proc/none", "--headless"], "cannot make /proc/none"),
        (["--readonly", "pause", "{run}"], "'pause' would change a project"),
        (["--readonly", "demo", "{tmp}/new"], "'demo' would change a project"),
        (["reshear", "{run}", "--mode", "paper", "--max-words", "9" * 20], "is more than"),
        (["retry", "{run}", "--model", "otter"], "it has dry-run"),
        (["samples", "{run}", "--model", "otter"], "it has dry-run"),
        (["export", "{run}", "{tmp}/out.json", "--model", "otter"], "it has dry-run"),
        (["export", "{run}", "{tmp}", "--allow-partial"], "is a folder"),
        (["export", "{run}", "{tmp}/no/out.json", "--allow-partial"], "there is no folder"),
        (["export", "{run}", "{run}/shards/00000.jsonl", "--allow-partial"], "own files"),
        (["export", "{run}", "{run}/project.db", "--allow-partial"], "own files"),
        (["{tmp}/nowhere"], "no such command or folder"),
        (["frobnicate"], "no such command or folder"),
        (["status"], "Missing argument"),
        (["status", ""], "the name is empty"),
        (["new", "", "captions.json"], "the name is empty"),
    ],
)
def test_other_commands_refuse_bad_input(
    tmp_path: Path, project: Path, arguments: list[str], message: str
) -> None:
    filled = [part.format(tmp=tmp_path, run=project) for part in arguments]
    assert message in refused(*filled)


def test_records_keep_their_other_keys_and_their_text(tmp_path: Path, captions: Path) -> None:
    images = json.loads(captions.read_text())
    lines = [
        f'{{"image": "{images[0]["image"]}",\n  "caption": "a", "score": 1.50, "id": {10**30}}}',
        f'{{"image": "{images[1]["image"]}", "caption": "\\ud83d", "n": NaN}}',
    ]
    captions.write_text(f"[{','.join(lines)}]")
    cli_ok("new", tmp_path / "run", captions, "--model", "dry-run")
    shard_lines = (tmp_path / "run/shards/00000.jsonl").read_text().splitlines()
    assert shard_lines == [line.replace("\n", " ") for line in lines]


def test_status_json_has_exactly_the_documented_form(project: Path) -> None:
    found = status(project)
    assert isinstance(found.pop("time"), float)
    assert found.pop("host").keys() == {"memory_free", "memory_total", "disk_free"}
    assert found == {
        "project": str(project),
        "state": "idle",
        "images": 5,
        "failed_images": 0,
        "failed_images_exact": True,
        "eta_seconds": None,
        "shards": 3,
        "tasks": {"pending": 3, "running": 0, "done": 0, "failed": 0, "skipped": 0},
        "models": [
            {
                "name": "dry-run",
                "captioned": 0,
                "failed": 0,
                "total": 5,
                "images_per_second": 0.0,
                "eta_seconds": None,
            }
        ],
        "workers": [],
        "devices": [],
        "supervisor": None,
        "elsewhere": None,
        "killed_at": None,
        "pause_reason": None,
        "waits": [],
    }


def test_export_refuses_an_unfinished_project_and_writes_nothing(
    tmp_path: Path, project: Path
) -> None:
    done = cli("export", project, tmp_path / "out.json")
    assert done.returncode == 1
    assert "3 of 3 tasks are not done" in done.stderr
    assert not (tmp_path / "out.json").exists()
    cli_ok("export", project, tmp_path / "out.json", "--allow-partial", "--with-original")
    assert [r["caption"] for r in json.loads((tmp_path / "out.json").read_text())] == [
        f"alt text {n}" for n in range(5)
    ]
    cli_ok("export", project, tmp_path / "out.json", "--allow-partial", "--force")
    assert json.loads((tmp_path / "out.json").read_text()) == []


def test_models_and_doctor_print_what_they_find(project: Path) -> None:
    families = json.loads(cli_ok("models", "--json"))
    assert {"llava-1.5", "dry-run"} <= {family["name"] for family in families}
    assert "Describe <image> in English:" in cli_ok("models")
    output = cli_ok("doctor", project)
    assert "2 of the first 2 images found" in output
    (project / "shards/00000.jsonl").unlink()
    unhealthy = cli("doctor", project)
    assert unhealthy.returncode == 1
    assert "shard files are missing" in unhealthy.stdout


def test_readonly_repairs_nothing(project: Path) -> None:
    assert "3 pending" in cli_ok("--readonly", "status", project)
    assert "sound: 3 files" in cli_ok("--readonly", "verify", project)
    (project / "project.db").write_bytes(b"no database" * 1000)
    before = sorted(path.name for path in project.iterdir())
    for command in ("status", "verify"):
        assert "without --readonly it is rebuilt" in refused("--readonly", command, project)
    assert sorted(path.name for path in project.iterdir()) == before
    assert "3 pending" in cli_ok("status", project)


def test_devices_are_not_ignored_while_it_runs_on_others(project: Path) -> None:
    opened = open_project(project)
    pid, created, boot_id = identity.this_process()
    row = SupervisorRow(
        pid=pid, created=created, boot_id=boot_id, host="host", heartbeat=0.0, devices="cpu:2"
    )
    with writing(opened.database) as connection:
        supervisor_writes.save_supervisor(connection, row)
    done = cli("run", project, "--devices", "cpu", "--detach")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the project runs on cpu:2 already: 'stop' it, then run it on cpu\n"
    assert f"process {pid}" in cli_ok("run", project, "--devices", "cpu:2", "--detach")


def test_an_exclusion_of_nothing_leaves_no_log(project: Path) -> None:
    refused("exclude", project, "--shard", 1, "--record", 0, "--undo")
    assert not list((project / "captions").rglob("*.jsonl"))


def test_a_lost_shard_file_is_one_message(tmp_path: Path, project: Path) -> None:
    cli_ok("run", project, "--devices", "cpu")
    for shard in (project / "shards").iterdir():
        shard.unlink()
    for command in (["samples", project], ["pilot", project]):
        assert "shards/00000.jsonl is missing" in refused(*command)


def test_new_takes_the_place_of_no_file(tmp_path: Path, captions: Path) -> None:
    """The input may be called like a file of the project's own."""
    for name in ("project.json", "lock", "logs", "inputs.json"):
        folder = tmp_path / f"with {name}"
        folder.mkdir()
        (folder / name).write_bytes(captions.read_bytes())
        error = refused("new", folder, folder / name, "--model", "dry-run", "--allow-missing")
        assert f"{name} exists already" in error
        assert (folder / name).read_bytes() == captions.read_bytes()
        assert [path.name for path in folder.iterdir()] == [name]


def test_a_request_that_changes_nothing_says_so_and_is_no_error(project: Path) -> None:
    assert "nothing is running" in cli_ok("stop", project)
    assert "not paused" in cli_ok("resume", project)
    assert cli_ok("pause", project).strip() == "paused"
    assert "paused already" in cli_ok("pause", project)
    assert status(project)["state"] == "paused"
    assert "nothing to retry" in cli_ok("retry", project)


@pytest.mark.parametrize("arguments", [(), ("open", "./run"), ("./run",)])
def test_without_a_terminal_the_application_names_the_commands_to_use(
    tmp_path: Path, project: Path, arguments: tuple[str, ...]
) -> None:
    before = sorted(tmp_path.iterdir())
    ran = ForkedCommand(*arguments, cwd=tmp_path)
    lines = ran.communicate(timeout=TIMEOUT_SECONDS)[0].splitlines()
    assert ran.returncode == 2
    assert len(lines) == 1 and "needs a terminal" in lines[0]
    assert sorted(tmp_path.iterdir()) == before


def test_two_models_of_one_family_have_different_names(tmp_path: Path, captions: Path) -> None:
    project = tmp_path / "run"
    options = ("--model", "dry-run", "--model", "again=dry-run", "--set", "again.batch=2")
    cli_ok("new", project, captions, *options)
    cli_ok("add-model", project, "third=dry-run:")
    cli_ok("run", project, "--devices", "cpu")
    cli_ok("export", project, tmp_path / "columns.json", "--format", "columns")
    rows = list(map(json.loads, (tmp_path / "columns.json").read_text().splitlines()))
    assert len(rows) == 5
    assert all(row["dry-run"] == row["again"] == row["third"] for row in rows)
    assert len({row["again"] for row in rows}) == 5
