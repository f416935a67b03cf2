"""The wizard for a new project: the dialog and its five pages.

Process: the application.
May import: tui.dialogs, tui.widgets, tui.viewmodel, tui.formatting, engine, db.
Must never: import tui.app or tui.screens; read the input or a checkpoint on the event loop.

One module per page.
"""
