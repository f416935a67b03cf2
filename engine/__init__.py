"""What does the work: every package but the application's and the database's.

This module imports nothing, because each process imports it first. docs/architecture.md says what
lies in which package, and in which process it runs.
"""
