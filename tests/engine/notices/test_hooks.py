"""What the user's `config.toml` says of hooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.rows import NOTICE_KINDS
from engine.notices.hooks import Hook, read_hooks
from engine.notices.notifier import hooks_for
from engine.utils.errors import BadInput


def test_no_hook_is_called_without_a_file() -> None:
    assert read_hooks() == ()
    assert hooks_for("finished") == []


def test_a_hook_has_a_command_or_a_webhook(config: Path) -> None:
    config.write_text(
        """
        theme = "nord"
        [on_event.phone]
        command = ["~/bin/tell", "$(touch x)"]
        [on_event.chat]
        webhook = "https://chat.example/hooks/secret"
        events = ["killed", "paused"]
        """
    )
    assert read_hooks() == (
        Hook(name="phone", command=("~/bin/tell", "$(touch x)"), events=NOTICE_KINDS),
        Hook(
            name="chat",
            webhook="https://chat.example/hooks/secret",
            events=("killed", "paused"),
        ),
    )
    assert hooks_for("finished") == ["phone"]
    assert hooks_for("killed") == ["phone", "chat"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("on_event = 3", "must be a table"),
        ('on_event = ["touch"]', "must be a table"),
        ("[on_event]\nphone = 3", "on_event.phone must be a table"),
        ('[on_event."a b"]\ncommand = ["x"]', "a name has letters"),
        ("[on_event.phone]", "either a command or a webhook"),
        ('[on_event.x]\ncommand = ["a"]\nwebhook = "https://b"', "either a command or a webhook"),
        ('[on_event.x]\ncommand = "touch x"', "must be a list of texts"),
        ("[on_event.x]\ncommand = []", "must be a list of texts"),
        ('[on_event.x]\ncommand = ["", "a"]', "must be a list of texts"),
        ('[on_event.x]\ncommand = ["a", 3]', "must be a list of texts"),
        ('[on_event.x]\ncommand = ["a\\u0000b"]', "must be a list of texts"),
        ('[on_event.x]\nwebhook = "file:///etc/passwd"', "must be an address"),
        ('[on_event.x]\nwebhook = "https://"', "must be an address"),
        ('[on_event.x]\nwebhook = "https://a:x/"', "must be an address"),
        ('[on_event.x]\nwebhook = "http://[::1"', "must be an address"),
        ("[on_event.x]\nwebhook = 3", "must be an address"),
        ('[on_event.x]\ncommand = ["a"]\nevents = ["end"]', "events must be a list of finished"),
        ('[on_event.x]\ncommand = ["a"]\nevents = "killed"', "events must be a list of"),
        ('[on_event.x]\ncommand = ["a"]\nshell = true', "no setting 'shell'"),
        ("[on_event", "cannot read"),
    ],
)
def test_what_makes_no_sense_calls_no_hook_and_stops_no_run(
    config: Path, content: str, reason: str
) -> None:
    config.write_text(content)
    with pytest.raises(BadInput, match=reason) as caught:
        read_hooks()
    assert str(config) in str(caught.value)
    assert hooks_for("finished") == []
