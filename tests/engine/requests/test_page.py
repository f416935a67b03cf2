"""Every row of the table of requests in docs/architecture.md has its test."""

from __future__ import annotations

import re
from pathlib import Path

from tests.engine.requests.test_handlers import ROWS

PAGE = Path(__file__).parents[3] / "docs/architecture.md"
HERE = Path(__file__).parent
TESTS = {
    "pause": "pause of a run",
    "resume": "resume after a pause",
    "stop, Ctrl-C, SIGTERM": "stop",
    "stop after the running shards": "test_a_stop_after_the_running_shards_starts_no_other",
    "retry of a done shard": "retry of a done shard",
    "retry of a failed shard": "retry of a failed shard",
    "retry of a pending or skipped shard": "retry of a skipped and a pending shard",
    "retry of failed records": "retry of failed records",
    "retry of a running shard": "retry of a running shard",
    "any retry": "retry of a blocked model's shard",
    "recheck, by whoever found damage": (
        "test_a_damaged_log_is_set_aside_and_its_task_begins_anew"
    ),
    "recheck, and the shard file is damaged": "test_a_damaged_shard_fails_its_tasks",
    "skip": "skip",
    "unskip": "unskip",
    "priority": "priority",
    "ask again for captions with defects": "test_captions_are_asked_for_again",
    "exclude named records of a running task": "test_named_records_of_a_running_task_are_excluded",
    "exclude records, or include them again": "test_exclude",
    "the same, but the log or the sheared file": (
        "test_a_failing_file_is_reported_and_nothing_is_believed"
    ),
    "exclude all records of a cause": "test_all_records_of_a_running_task",
    "undo of the last retry, skip or exclude": "test_all_is_as_before",
    "set, with settings that shape the captions": (
        "test_settings_that_shape_captions_begin_the_tasks_anew"
    ),
    "add a model": "test_a_model_is_added_with_a_task_for_every_shard",
}
"""The test of each row, by the beginning of its first cell: a case of `ROWS` or a function."""


def test_every_row_of_the_page_has_its_test() -> None:
    section = PAGE.read_text().partition("### Requests of people")[2]
    cells = re.findall(r"^\| (?!Request )(.+?) \|", section, flags=re.MULTILINE)
    rows = [cell.replace("`", "") for cell in cells]
    assert [row for row in rows if not any(row.startswith(name) for name in TESTS)] == []
    assert [name for name in TESTS if not any(row.startswith(name) for row in rows)] == []
    sources = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    assert [t for t in TESTS.values() if t not in ROWS and f"def {t}(" not in sources] == []
