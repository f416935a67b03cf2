"""Text shearing: pure functions."""
