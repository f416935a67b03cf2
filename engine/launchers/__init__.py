"""How workers are started and talked to: as processes of this machine or on a Ray cluster.

Process: supervisor; `ray.actor` runs in an actor on a cluster's node.
May import: `project`, `protocol`, `images`, `hardware`, `process`, `utils`, `db.rows`.
Must never: import the supervisor, the state or the worker, or Ray outside of `ray.launcher`.
"""
