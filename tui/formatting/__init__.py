"""Pure functions from values to text: numbers, captions, tables, plots.

Process: the application and the commands.
May import: engine.utils, rich; `content` and `captions` also Textual's `Content`.
Must never: read a file or a database; hold state.
"""
