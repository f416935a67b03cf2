"""Errors whose message is meant for the person at the terminal."""


class BadInput(Exception):
    """What was asked or given cannot be used; the message says what to do. Exit code 2."""


class Refused(Exception):
    """A request that the run does not carry out now; the message says why."""
