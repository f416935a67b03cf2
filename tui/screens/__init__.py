"""The screens: six of an open project, Welcome without a project, and TooSmall.

Process: the application.
May import: tui.widgets, tui.keys, tui.threads, tui.session, tui.viewmodel, tui.formatting,
tui.config, engine; tui.dialogs late; of db the types of rows.
Must never: import tui.app (a screen gets a Session, and posts messages of tui.session.messages);
open a database (tui.viewmodel.pages does, in a thread).
"""
