"""Helpers without knowledge of captioning: files, JSON lines, errors for the user, plurals.

Process: every process.
May import: the standard library, orjson and platformdirs.
Must never: import another package of this project, torch or Textual.
"""
