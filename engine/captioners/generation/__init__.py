"""Text generation with language models: prefill, decode steps, sampling, and the KV cache.

Process: the worker; commands that check a checkpoint (`parity`) and the training of demo models.
May import: torch, transformers, `captioners.{checkpoints,preprocessing,settings,base}`, `shearing`.
Must never: import a model family, or read a file.
"""
