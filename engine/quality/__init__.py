"""The quality of captions: what is wrong with one, and what many of them are like.

Process: every process: the supervisor, commands, the application.
May import: `utils`, `shearing`, numpy, msgspec, tokenizers, rensa, snowballstemmer.
Must never: open a file of a project, or import a project, a captioner or torch.

`docs/quality.md` says what each figure means, and what it cannot see.
"""
