"""Tiny checkpoints of open models, each beside its family's own processor and `generate`."""
