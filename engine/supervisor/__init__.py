"""The supervisor decides what runs where; nobody else writes caption logs and task state meanwhile.

Process: one per project, either a process of its own (`python -m engine.supervisor.main`) or the
process of a headless `run`; always its main thread, which starts the workers.
May import: engine.requests, engine.state, engine.launchers, what lies below them, and db.
Must never: import torch or transformers (`tests/test_borders.py`), engine.operations or
engine.worker; a worker is a process of its own.

One module per kind of decision, so that each can be read and tested without the loop.
"""
