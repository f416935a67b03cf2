"""Readers of caption files and image folders: each yields batches of records, as a stream.

Process: commands, the application, training scripts (`JointCaptions`); one shard or file also in
the processes of a pool (`engine.process.pool`).
May import: `engine.images`, `engine.utils`; pyarrow only when a file needs it.
Must never: hold a whole input in memory (of a tar, the names and places of its members), or know a
project.
"""
