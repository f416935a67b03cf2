"""The application without its screens: snapshots, pages of the database, actions, hints, labels.

Process: the application and the commands.
May import: engine, db, tui.formatting.text.
Must never: import Textual, nor torch; draw anything.
"""
