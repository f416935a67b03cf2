"""Errors whose message is meant for the person at the terminal."""


class BadInput(Exception):
    """Raised for input or options that cannot be used; the message says what to do.

    Commands end with exit code 2.
    """


class RequestRefused(Exception):
    """Raised for a request that the run does not carry out now; the message says why."""
