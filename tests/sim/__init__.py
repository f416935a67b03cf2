"""A deterministic simulation of whole runs: the real supervisor in virtual time, with faults.

`python -m tests.sim --help` runs it. Everything that happens follows from one number, the seed: a
schedule that violates something is printed with its seed, shrunk to the fewest faults, and runs
again, to the letter, with `--replay`.

What is real: the supervisor and all that it decides, the ledger, reconciliation, requests and the
commands that carry them out, caption logs, sheared files, SQLite, opening and rebuilding of
projects, `status`, the export, and the bytes of every message. What is simulated: time, workers,
servers, devices, people, what disk and database may refuse, and the moment of a kill.

- `simulation` one schedule: runs with faults (the storm), then runs without (the calm)
- `faults` every kind of fault, and where it is drawn whether it happens
- `process`, `worker`, `launcher` workers and devices
- `disk`, `database`, `stand_ins` what the product writes to, and where that is put in place
- `file_operations` each change of a file: a kill before it, and none outside the project
- `people`, `commands`, `damage` what people ask, and what befalls the files
- `scores` what a simulated scorer says, what its logs must hold, and what is shown of them
- `truth`, `invariants`, `watch` what really happened, and what must hold of the product then
- `coverage`, `rows` which rows of the tables of states were taken, and in which order
- `shrink` the fewest faults that violate something
- `planted` bugs that are planted into copies of the product, and must be found

What a simulation in one process, with its files in memory, does not prove:

- that a process which is killed leaves no other process over, and that pipes, locks and signals do
  what the manual says (`tests/faults`, `tests/processes`);
- that SQLite survives a power cut: its own journal is trusted, a transaction is either kept or
  rolled back whole. What is made of a damaged file is simulated;
- every order of the file operations at a power cut: one is drawn; `tests/sim/crash` enumerates
  them for the life of one shard;
- the worker's own code: batches, lanes, decoding, servers (`tests/engine/worker`,
  `tests/engine/captioners`);
- that a turn of the supervisor's loop in which nobody has made a request does no harm, since such
  turns do not read the database here, and that two real processes wait for each other's locks.
"""
