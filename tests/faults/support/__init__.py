"""Projects, processes, servers and damage for the fault tests, the soak and `tests/cluster`."""
