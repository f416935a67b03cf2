"""Telling users of their runs, wherever they are: their hooks, and the process that calls them.

Process: whoever holds the project's lock decides; the notifier, a process of its own, calls hooks.
May import: engine.project, engine.process, engine.utils, db.
Must never: import engine.state or above, or give a hook anything but JSON on stdin or as a body.
"""
