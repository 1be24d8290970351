"""What can go wrong, as the user sees it.

    EclipError            1  failed
    ├── InputError        2  a file, flag or environment variable is wrong
    ├── InfeasibleError   3  the input is well-formed, but no plan satisfies it
    └── NotInForceError   4  a plan exists, but the hardware or the application does not follow it

The number is the exit code of the command line. Every message names the thing, its value, and what would be right.
"""

from typing import ClassVar


class EclipError(Exception):
    """Root of all errors that end a command with one line and no traceback."""

    exit_code: ClassVar[int] = 1


class InputError(EclipError):
    """The user's input cannot be used as it is."""

    exit_code = 2


class InfeasibleError(EclipError):
    """No plan satisfies the objectives, limits and budgets that were asked for."""

    exit_code = 3


class NotInForceError(EclipError):
    """Masks were asked for, and read back otherwise."""

    exit_code = 4
