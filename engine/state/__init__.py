"""A project in memory: its tasks and models, the moves that they may make, and the one commit.

Process: whoever holds the project's lock: the supervisor, or, where none runs, the command or the
application that carries out a request or shears the captions again.
May import: engine.captioners, engine.project, engine.shearing and what lies below them, and db.
Must never: be used without the project's lock, import engine.supervisor or engine.requests, or know
workers: it says what may happen to a task, not who is captioning it.
"""
