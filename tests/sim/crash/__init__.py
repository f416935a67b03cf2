"""Every crash state of a shard's life: what may lie on the disk after a crash, and what follows.

The product's own code lives through a shard's life (run, stop, retry, exclude, shear again, ...)
on real files, and every file operation is recorded. Between any two of them the process may be
killed or the power cut. `legal_states` lists what the disk may then hold: unsynced writes that are
there, missing, torn, in another order or zeros, folder entries that are there or not. The real
recovery runs on each of these states, and `checks` says what must hold before and after it.

The tracker's commits count as atomic and durable, as SQLite promises of a rollback journal with
`synchronous=EXTRA`: its own writes are not taken apart.

`python -m tests.sim.crash --help` runs it.
"""
