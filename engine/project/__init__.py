"""The files of a project folder: where they lie, and how each is read, written and repaired.

Process: the supervisor, commands and the application; never a worker.
May import: `captioners` (to check the models of a received project), `shearing`, `images`,
`process`, `utils` and the database package `db`.
Must never: import `state` or what lies above it, or write a caption log without the project's lock
(`lock.ProjectLock`).
"""
