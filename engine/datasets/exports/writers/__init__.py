"""One file an export format; each holds a class `Writer`."""
