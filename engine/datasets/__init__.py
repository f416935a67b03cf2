"""Caption files in, caption files out."""
