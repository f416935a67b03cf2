"""Readers of code that is on no index: its rule of what is trained on, written from its source."""
