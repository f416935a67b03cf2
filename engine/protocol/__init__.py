"""The messages between supervisor and worker, and their framing as lines.

Process: supervisor and worker.
May import: `engine.utils`.
Must never: import a side of the exchange (`supervisor`, `worker`, `launchers`).
"""
