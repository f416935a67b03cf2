"""Canned projects, small checkpoints, pictures and helpers that several kinds of tests share."""
