"""What people type into the command palette, and the action that they mean."""

from __future__ import annotations

import pytest

from tests.tui.keys.declared import ACTIONS
from tui.keys.action_search import Searchable, rank

FIRST = 3
"""The action that is meant is among so many."""
SEARCHED = [action for action in ACTIONS if action.in_palette and action.tooltip]


def found(query: str) -> list[str | None]:
    """Return the ids of the actions that `query` finds, the best first."""
    ranks = rank(
        query,
        [
            Searchable(
                name=action.description,
                text=f"{action.tooltip} {action.id}",
                synonyms=action.synonyms,
            )
            for action in SEARCHED
        ],
    )
    return [SEARCHED[place].id for place in sorted(ranks, key=lambda place: -ranks[place])]


@pytest.mark.parametrize(
    ("query", "action"),
    [
        ("export", "app.export"),
        ("EXPORT!", "app.export"),
        ("pilot", "app.pilot"),
        ("doctor", "app.doctor"),
        ("find captions", "samples.search"),
        ("find the captions that mention a dog", "samples.search"),
        ("go to record 17", "samples.jump"),
        ("a random image", "samples.random"),
        ("thumbnail", "samples.enlarge"),
        ("stop the run", "app.stop"),
        ("kill it", "app.stop"),
        ("start captioning", "app.start"),
        ("pause", "app.pause"),
        ("continue", "app.resume"),
        ("write the captions to parquet", "app.export"),
        ("which model is bad", "app.quality"),
        ("why did this image fail", "app.failures"),
        ("bad captions", "shards.ask_again"),
        ("change the prompt", "app.models"),
        ("add a model", "app.models"),
        ("undo", "app.undo"),
        ("take that back", "app.undo"),
        ("options", "app.settings"),
        ("change the settings", "app.settings"),
        ("try on a few images", "app.pilot"),
        ("is my gpu ok", "app.doctor"),
        ("corrupt files", "app.verify"),
        ("caption lengths", "app.lengths"),
        ("redo failed", "shards.retry_failed"),
        ("ignore an image", "failures.exclude"),
        ("mark a caption as wrong", "samples.bad"),
        ("rate a caption", "samples.good"),
        ("try another prompt", "app.workshop"),
        ("bigger picture", "samples.enlarge"),
        ("search the logs", "logs.find"),
        ("keyboard shortcuts", "app.help"),
        ("exit", "app.quit"),
        ("copy to clipboard", "screen.copy"),
        ("sort", "shards.sort"),
        ("use only one gpu for otter", "shards.pin"),
        ("first sentence", "app.reshear"),
        ("open another project", "app.projects"),
        ("switch project", "app.projects"),
        ("save results", "app.export"),
        ("see images", "app.samples"),
        ("show the newest captions", "samples.live"),
        ("how fast is it", "app.dashboard"),
        ("which gpu is idle", "app.dashboard"),
        ("read the log of a worker", "app.logs"),
        ("delete bad records", "failures.exclude"),
        ("duplicates", "app.quality"),
    ],
)
def test_a_wish_finds_its_action(query: str, action: str) -> None:
    assert action in found(query)[:FIRST]


def test_what_no_word_finds_finds_nothing() -> None:
    assert found("zebra") == []
    assert found("") == []


def test_an_action_that_matches_fewer_words_is_left_out() -> None:
    assert found("retry failed records") == ["shards.retry_failed"]
