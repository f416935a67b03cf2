"""Exports: the captions of a project, written in the forms that training programs read.

Process: commands, the application; one shard at a time also in the processes of a pool
(`encode_job`, `shard_captions` and `writers`, which are light to import for that reason).
May import: `engine.project` and what is below it; of `db` more than `db.rows` only in `source`.
Must never: change a project, except for sheared files, which are a cache.
"""
