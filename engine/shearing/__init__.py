"""Text shearing: which part of a caption that a model wrote is kept. Pure functions.

Process: every process: the supervisor, workers (to end generation early), commands, the
application and training scripts.
May import: `db.rows`, `utils`, sentencex.
Must never: open a file, or import a project, a captioner or torch.
"""
