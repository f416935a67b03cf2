"""Faults in real processes; afterwards the invariants hold and the export is the expected one."""
