"""Nothing of this project: files, JSON lines, counts in words."""
