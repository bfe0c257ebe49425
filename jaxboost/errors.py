"""The one error a user is meant to read."""


class InputError(ValueError):
    """Something the user gave cannot be used: the message says what, where, and what to do.

    `main.py` prints the message without a traceback and exits with status 2.
    """
