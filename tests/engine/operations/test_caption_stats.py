"""Statistics of a project's captions per model."""

from __future__ import annotations

from typing import Any

import pytest

from db.rows import SHEAR_MODES
from engine.operations.caption_stats import (
    CaptionCounts,
    ModelLog,
    ModelStats,
    StatsJob,
    measure_captions,
    measure_log,
    measure_shard,
)
from engine.project import caption_log
from engine.protocol.caption_row import IMPORTED, CaptionRow, ImportedRow
from engine.shearing.shear import Shearing
from engine.utils.errors import BadInput
from tests.support.small_project import SmallProject, error
from tui.formatting.stats_table import stats_lines, transposed_stats_lines

PROMPT = "Describe the picture in detail"


def measure(
    small: SmallProject, raw: str, finish: str, shearing: Shearing, prompt: str = PROMPT
) -> CaptionCounts:
    small.write_log(1, [CaptionRow(0, raw, 7, finish)])
    log = model_log(small, 1, "llava-1.5", prompt)
    return measure_log(log, caption_log.read(log.log, 4), shearing)[0]


def model_log(small: SmallProject, task_id: int, family: str, prompt: str) -> ModelLog:
    return ModelLog(small.log(task_id), small.state.ledger[task_id], family, [prompt])


@pytest.mark.parametrize(
    ("raw", "finish", "counts"),
    [
        ("a red dog", "stop", {"raw_words": 3, "sheared_words": 3}),
        ("a dog. It barks", "stop", {"raw_words": 4, "sheared_words": 2, "cut": 1}),
        (" . x", "stop", {"raw_words": 2, "sheared_words": 0, "cut": 1, "empty": 1}),
        ("a dog and", "length", {"raw_words": 3, "sheared_words": 3, "unfinished": 1}),
        ("I'm sorry, no", "stop", {"raw_words": 3, "sheared_words": 3, "refusals": 1}),
        ("\u201cSorry, no", "stop", {"raw_words": 2, "sheared_words": 2, "refusals": 1}),
        ("A gull. I cannot", "stop", {"raw_words": 4, "sheared_words": 2, "cut": 1}),
        ("USER: a dog", "stop", {"raw_words": 3, "sheared_words": 3, "leaks": 1}),
        (f"{PROMPT} x", "stop", {"raw_words": 6, "sheared_words": 6, "leaks": 1}),
    ],
)
def test_what_is_counted_of_a_caption(
    small: SmallProject, raw: str, finish: str, counts: dict[str, int]
) -> None:
    expected = CaptionCounts(captions=1, tokens=7, **counts)
    assert measure(small, raw, finish, Shearing()) == expected


@pytest.mark.parametrize("prompt", ["", "a dog"])
def test_a_short_prompt_may_stand_in_a_caption_by_chance(small: SmallProject, prompt: str) -> None:
    assert measure(small, "a dog", "stop", Shearing(), prompt).leaks == 0


@pytest.mark.parametrize("mode", SHEAR_MODES)
def test_captions_that_two_models_share(small: SmallProject, mode: Any) -> None:
    small.write_log(1, [CaptionRow(i, text, 1, "stop") for i, text in enumerate(["a.", "b.", "c"])])
    small.write_log(4, [CaptionRow(i, text, 1, "stop") for i, text in enumerate(["a.", "x.", "b"])])
    logs = [model_log(small, task, "otter", "") for task in (1, 4)]
    results = measure_shard(StatsJob(4, logs, Shearing(mode)))
    assert [counts.shared for counts, _ in results.models] == [1, 1], "b is another image's"


def test_the_statistics_of_a_project(small: SmallProject) -> None:
    small.write_log(1, [CaptionRow(0, "a dog", 4, "stop"), error(1)])
    small.write_log(2, [CaptionRow(3, "a dog", 8, "stop"), CaptionRow(1, "a cat", 0, "stop")])
    done: list[tuple[int, int]] = []
    stats = measure_captions(small.project, (), lambda *shards: done.append(shards))
    assert done == [(1, 3), (2, 3), (3, 3)]
    dry_run, served = stats
    assert served == ModelStats("served", CaptionCounts())
    assert (dry_run.counts.captions, dry_run.counts.failed, dry_run.counts.repeated) == (3, 1, 1)
    assert (
        dry_run.as_dict()
        | {
            "model": "dry-run",
            "tokens_per_caption": 4.0,
            "raw_words_per_caption": 2.0,
            "share_cut": 0.0,
        }
        == dry_run.as_dict()
    )
    with pytest.raises(BadInput, match="no model 'x'"):
        measure_captions(small.project, ["x"])


@pytest.mark.parametrize(
    ("rows", "tokens", "shown"),
    [
        ([], 0.0, "0.0"),
        ([CaptionRow(0, "a dog", 4, "stop")], 4.0, "4.0"),
        ([ImportedRow(0, "a dog", 0, "stop", IMPORTED)], None, "-"),
        ([ImportedRow(0, "a", 0, "stop", IMPORTED), CaptionRow(1, "b", 6, "stop")], 6.0, "6.0"),
    ],
)
def test_tokens_of_imported_captions_are_unknown(
    small: SmallProject, rows: list[CaptionRow], tokens: float | None, shown: str
) -> None:
    small.write_log(1, rows)
    log = model_log(small, 1, "imported", "")
    counts, _ = measure_log(log, caption_log.read(log.log, 4), Shearing())
    stats = ModelStats("blip", counts)
    assert stats.as_dict()["tokens_per_caption"] == tokens
    for lines in (list(stats_lines([stats])), list(transposed_stats_lines([stats]))):
        assert shown in " ".join(lines).split()
        assert ("whose tokens nobody counted" in lines[-1]) == (counts.imported > 0)


def test_damaged_logs_are_refused_and_the_tracker_is_told(small: SmallProject) -> None:
    small.write_log(1, [CaptionRow(i, "a dog", 4, "stop") for i in range(4)])
    small.take_over_logs()
    small.write_log(1, [CaptionRow(i, "a cat", 4, "stop") for i in range(4)])
    with pytest.raises(BadInput, match=r"was changed after its task was done\. 1 task failed"):
        measure_captions(small.project)
