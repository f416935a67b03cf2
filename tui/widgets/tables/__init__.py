"""The tables of tasks, records, failure causes and occurrences, and the class they derive from.

Process: the application.
May import: tui.widgets, tui.viewmodel, tui.formatting, db.rows.
Must never: import tui.app, tui.screens or tui.dialogs; read a database.
"""
