"""`from mllmaug_tui import JointCaptions` in a training folder that has names of ours for its own.

One script is run in such a folder, as people run one: `python train.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mllmaug_tui
from engine.datasets.joint import JointCaptions
from engine.operations.new_project import NewProject, create
from tests.support.pictures import make_captions
from tests.support.projects import model_choice, write_captions

ROOT = Path(mllmaug_tui.__file__).parents[1]
COUNT = 6
TRAIN = """
import json, locale, logging, multiprocessing, os, random, resource, signal, sys, warnings
from pathlib import Path

import engine
import numpy, sqlmodel, torch, torch.utils.data
from PIL import Image
from sqlmodel import Field, SQLModel

class Task(SQLModel, table=True):  # a table of the script's own, which has a name of one of ours
    id: int = Field(primary_key=True)

def global_state():
    return {
        "paths": (list(sys.path), list(sys.path_hooks), os.getcwd()),
        "environment": dict(os.environ),
        "pillow": (Image.MAX_IMAGE_PIXELS, sorted(Image.OPEN), sorted(Image.EXTENSION)),
        "torch": (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
                  torch.initial_seed(), torch.get_rng_state().tolist()),
        "random": (random.getstate(), str(numpy.random.get_state())),
        "warnings": list(warnings.filters),
        "logging": (list(logging.root.handlers), logging.root.level),
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "limits": [resource.getrlimit(number) for number in range(10)],
        "locale": locale.getlocale(),
        "start method": multiprocessing.get_start_method(allow_none=True),
        "tables": sorted(SQLModel.metadata.tables),
        "hooks": (sys.excepthook, sys.displayhook, __import__, sys.stdout, sys.stderr),
        "ours": sorted({name.partition(".")[0] for name in sys.modules} & {"engine", "db", "tui"}),
    }

before = global_state()
from mllmaug_tui import JointCaptions, open_image
after = global_state()

def numbered(sample):
    return open_image(sample.image).rgb().size, sample.captions

if __name__ == "__main__":
    import db
    import tui.model
    from mllmaug_tui.db.connection import migrate

    data = JointCaptions(sys.argv[1], transform=numbered)
    migrate(Path("new.db"))  # as an older project is brought up to date when it is opened
    by_workers = {
        method: list(torch.utils.data.DataLoader(
            data, batch_size=None, num_workers=1, multiprocessing_context=method))
        for method in ("fork", "spawn")
    }
    print(json.dumps({
        "changed": [name for name in before if before[name] != after[name]],
        "theirs": [engine.WHOSE, db.WHOSE, tui.model.WHOSE],
        "of workers": by_workers,
        "here": list(data),
    }))
"""


def test_the_scripts_own_modules_and_ours_do_not_meet(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", COUNT)
    made = create(
        tmp_path / "run", NewProject(captions=[captions], models=[model_choice("one")])
    ).project
    row = {"tokens": 3, "finish": "stop"}
    write_captions(made, lambda model, shard, i: row | {"raw": f"one {i}. End."})

    training = tmp_path / "training"
    (training / "tui").mkdir(parents=True)
    for name in ("engine.py", "db.py", "tui/__init__.py", "tui/model.py"):
        (training / name).write_text("WHOSE = 'theirs'\n")
    (training / "train.py").write_text(TRAIN)
    done = subprocess.run(
        [sys.executable, "train.py", made.folder],
        cwd=training,
        # Behind the folder of the script, as an installed package is.
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["changed"] == []
    assert report["theirs"] == ["theirs"] * 3
    expected = [[[24, 16], [f"alt text {i}", f"one {i}"]] for i in range(COUNT)]
    assert report["here"] == expected
    assert report["of workers"] == {"fork": expected, "spawn": expected}


def test_the_names_that_scripts_import_are_there_and_no_others() -> None:
    for name in mllmaug_tui.__all__:
        assert getattr(mllmaug_tui, name).__name__ == name
    # Both may be used in one process: they are two classes of the same file.
    assert mllmaug_tui.JointCaptions.__doc__ == JointCaptions.__doc__
    with pytest.raises(ImportError):
        from mllmaug_tui import nothing  # noqa: F401


def test_the_command_starts_where_a_folder_has_names_of_ours(tmp_path: Path) -> None:
    for name in ("engine.py", "db.py", "tui.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')")
    done = subprocess.run(
        [sys.executable, "-m", "mllmaug_tui", "--version"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
        capture_output=True,
        text=True,
    )
    assert "version" in done.stdout, done.stderr
