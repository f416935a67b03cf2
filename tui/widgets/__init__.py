"""The widgets of screens and dialogs: panes, plots, previews, forms and bars.

Process: the application.
May import: tui.viewmodel, tui.formatting, tui.terminal, engine, db.
Must never: import tui.app, tui.screens or tui.dialogs; open a database (tui.viewmodel.pages does,
in a thread).

One module per widget; the tables are in `tables`.
"""
