"""Every action of the application has a command, and every command an action."""

from __future__ import annotations

import pytest

from tui.cli.main import cli
from tui.config.keymap import declared_bindings
from tui.keys.action import Action

ACTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("make a project", "new", ("app.new",)),
    ("open another project", "open", ("app.projects",)),
    ("the demonstration", "demo", ("welcome.demo",)),
    ("look at the run", "status", ("app.dashboard",)),
    ("start captioning", "run", ("app.start", "app.start_on")),
    ("pause", "pause", ("app.pause",)),
    ("go on", "resume", ("app.resume",)),
    (
        "stop",
        "stop",
        ("app.stop", "stop.after_shard", "stop.now", "leave.after_shard", "leave.now"),
    ),
    ("retry shards", "retry", ("shards.retry", "dashboard.retry_failed")),
    ("retry failed records", "retry", ("shards.retry_failed",)),
    ("retry a cause", "retry", ("failures.retry",)),
    ("retry bad captions", "retry", ("shards.ask_again",)),
    ("skip", "skip", ("shards.skip",)),
    ("take back in", "unskip", ("shards.skip",)),
    ("priority", "priority", ("shards.sooner", "shards.later")),
    ("pin a device", "pin", ("shards.pin",)),
    ("take the pin away", "unpin", ("shards.pin",)),
    ("wake a device", "wake", ("dashboard.wake",)),
    ("what failed", "failures", ("app.failures", "failures.group", "failures.write")),
    ("give up on records", "exclude", ("failures.exclude",)),
    ("undo the last change", "undo", ("app.undo",)),
    ("flag a record", "flag", ("samples.flag",)),
    (
        "rate a caption",
        "rate",
        (
            *("samples.good", "samples.bad", "pilot.good", "pilot.bad"),
            *("workshop.good", "workshop.bad"),
        ),
    ),
    ("rated captions", "samples", ("quality.show",)),
    ("try prompts", "set", ("app.workshop", "models.prompts", "pilot.prompts", "workshop.take")),
    ("flagged records", "samples", ("samples.next_flag",)),
    ("captions beside each other", "samples", ("app.samples",)),
    ("search all captions", "samples", ("samples.search",)),
    ("try the models", "pilot", ("app.pilot",)),
    ("what a run takes", "estimate", ("app.new",)),
    ("a model's settings", "set", ("app.models", "settings.save")),
    ("another model", "add-model", ("app.models", "models.add", "add.add")),
    ("captions that exist", "import", ("app.new",)),
    ("shear again", "reshear", ("app.reshear", "reshear.begin")),
    ("figures of the captions", "stats", ("app.lengths", "lengths.all")),
    ("quality of the captions", "quality", ("app.quality", "quality.count", "quality.show")),
    ("export", "export", ("app.export",)),
    ("check the machine", "doctor", ("app.doctor",)),
    ("check all files", "verify", ("app.verify",)),
    ("families and presets", "models", ("models.add", "app.new")),
)
WITHOUT_A_KEY = {
    "split": "plain caption files, no project",
    "merge": "plain caption files, no project",
    "paths": "plain caption files, no project",
    "proxy": "trainings of other programs, which a person starts",
    "proxy-table": "the results of other programs, no project",
    "web": "the application itself, in a browser",
    "hooks": "the user's configuration, no project",
}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action[0])
def test_an_action_has_a_command_and_a_key(action: tuple[str, str, tuple[str, ...]]) -> None:
    _, command, ids = action
    known = {binding.id for binding in declared_bindings()}
    assert command in cli.commands
    assert set(ids) <= known


def test_every_command_is_in_the_list() -> None:
    assert set(cli.commands) == {command for _, command, _ in ACTIONS} | set(WITHOUT_A_KEY)


def test_every_key_that_changes_the_run_is_in_the_list() -> None:
    listed = {each for _, _, ids in ACTIONS for each in ids}
    changing = {
        binding.id
        for binding in declared_bindings()
        if isinstance(binding, Action) and binding.changes_run
    }
    assert changing
    assert changing <= listed
