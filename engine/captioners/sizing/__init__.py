"""How much work a model is, by its checkpoint's files: what an estimate is made of.

Process: one of its own, beside the application or a command.
May import: the families, PyTorch, transformers.
Must never: load a whole model.
"""
