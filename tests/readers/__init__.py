"""Exports, read by the readers' own code: `make readers`, outside of `make test`.

`hostile_project` makes a project of hostile captions and broken images, in which the colour of each
image tells its number. `programs` run in an environment of their own (`requirements.txt`), `rules`
are readers of code that is on no index, written from its source.
"""
