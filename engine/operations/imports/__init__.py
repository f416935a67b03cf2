"""Importing captions that were made elsewhere, as those of a model: one module a step.

Process: commands, the application; one shard at a time also in the processes of a pool
(`image_keys` and `finish_log`, which are light to import for that reason).
May import: as `engine.operations`.
Must never: write to a project without its lock.
"""
