"""The devices and the memory of this machine."""
