"""The dialogs: modal screens that show something or ask the user, and may return an answer.

Process: the application.
May import: tui.widgets, tui.viewmodel, tui.formatting, engine, db.
Must never: import tui.app (a dialog knows tui.session.Session); read a database on the event loop.

One module per dialog; the wizard for a new project is a package of its own.
"""
