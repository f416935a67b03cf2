"""Workers on the nodes of a Ray cluster.

Process: supervisor; `actor` runs in an actor on a cluster's node.
May import: what `engine.launchers` may, and Ray, which is an optional extra, in `launcher` only.
Must never: be imported unless a run takes place on a cluster.
"""
