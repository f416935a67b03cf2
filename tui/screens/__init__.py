"""The screens: five of an open project, Welcome without a project, and TooSmall.

Process: the application.
May import: tui.widgets, tui.viewmodel, tui.formatting, tui.config, engine, db; tui.dialogs late.
Must never: import tui.app (a screen knows tui.session.Session); read a database on the event loop.
"""
