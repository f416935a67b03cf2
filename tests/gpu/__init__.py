"""What only a GPU can show, by one command: `python -m tests.gpu` on a machine that has one.

Each part is a module that runs as a process of its own, with a time limit, and prints one JSON
object a line. `--imitate` runs the same code with small models on a CPU, so that the first run on a
real GPU does not end at a typing error. `python -m tests.gpu pack FOLDER` gathers wheels for a
machine without a package index.
"""
