"""What runs in the readers' environment, which has nothing of the project's own.

May import: `tests.readers.colours`, the libraries in `requirements.txt`.
"""
