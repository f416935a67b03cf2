"""The process that decides what runs where."""
