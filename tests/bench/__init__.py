"""Benchmarks: `python -m tests.bench NAME` measures and prints figures, which no test asserts.

A module with a function `main` is a bench; the others hold what several benches share.
"""
