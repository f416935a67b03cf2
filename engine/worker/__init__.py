"""The captioning process."""
