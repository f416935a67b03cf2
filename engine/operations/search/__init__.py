"""The search in all captions of a project."""
