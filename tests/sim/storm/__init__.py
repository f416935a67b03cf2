"""The storms that `make sim` runs: many schedules, in chunks, side by side."""
