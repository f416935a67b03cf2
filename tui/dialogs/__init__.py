"""The dialogs: modal screens that show something or ask the user, and may return an answer.

Process: the application.
May import: tui.widgets, tui.keys, tui.session, tui.viewmodel, tui.formatting, engine; of db the
types of rows.
Must never: import tui.app (a dialog gets what it needs from whoever opens it); open a database
(tui.viewmodel.pages does, in a thread).

One module per dialog; the wizard for a new project is a package of its own.
"""
