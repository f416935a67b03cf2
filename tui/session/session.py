"""What the application's screens, dialogs and widgets share: the project, its newest snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tui.config.settings import UserSettings
from tui.terminal.graphics import ImageSupport

if TYPE_CHECKING:
    from engine.datasets.exports.export import ExportOptions
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Snapshot


@dataclass(kw_only=True)
class Session:
    """One project as it is shown now. Only the loop of the application changes it."""

    project: Project | None = None
    """The project that is shown; None: the application was started without one."""
    readonly: bool = False
    """True if nothing may change the run."""
    in_browser: bool = False
    """True if a browser shows the application, which ends when its page is left."""
    image_support: ImageSupport = field(default_factory=lambda: ImageSupport("cells"))
    """How pictures are drawn, or why they are not."""
    user_settings: UserSettings = field(default_factory=UserSettings)
    """What stands in the user's `config.toml`."""
    snapshot: Snapshot | None = None
    """The newest snapshot; None until the project is opened."""
    snapshot_error: str | None = None
    """Why no snapshot could be read the last time; None if one was read."""
    export_options: ExportOptions | None = None
    """What the Export dialog was last filled in with; None until it was opened."""
    since_you_left: str | None = None
    """What happened before the user came back last; None if they were not away."""
    request_pending: bool = False
    """True from when a request is sent to the engine until it is answered."""
