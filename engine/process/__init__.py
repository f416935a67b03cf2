"""Operating-system processes: their identity, how they end together, pools of them.

Process: every process; `parent_death` runs in a worker before anything else.
May import: the standard library, psutil and, in `identity`, `db.rows`.
Must never: import anything in this file, anything heavy in `parent_death`, or anything but the
standard library in `keeper`, which runs as a script.
"""
