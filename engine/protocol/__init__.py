"""The messages between supervisor and worker."""
