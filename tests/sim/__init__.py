"""A deterministic simulation of whole runs: the real supervisor in virtual time, with faults.

What is real: the supervisor and everything that it decides, the ledger, the caption logs and the
database (both on files in memory), requests, reconciliation, exports. What is simulated: time,
workers, servers, devices, what a disk and a database may refuse, people.

`python -m tests.sim --help` runs it. Everything that happens follows from one number, the seed.
"""
