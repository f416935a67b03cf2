"""The messages between supervisor and worker, and their framing as lines.

Process: supervisor and worker.
May import: `engine.utils` and the plain rows of `db.rows`.
Must never: import a side of the exchange (`supervisor`, `worker`, `launchers`).
"""
