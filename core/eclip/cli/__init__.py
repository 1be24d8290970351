"""The command `eclip`. One module per command; this one turns errors into one line and an exit code.

Exit codes: 0 done, 1 failed, 2 bad input, 3 infeasible, 4 not in force (errors.py), 130 interrupted.
"""

import sys
from collections.abc import Sequence

from eclip.errors import EclipError, InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `eclip` with the arguments (default: of this process) and return its exit code."""
    from eclip.cli import app

    try:
        return int(app.COMMANDS(args=arguments, prog_name="eclip", standalone_mode=False) or 0)
    except app.UsageError as error:
        return _fail(f"{error.format_message()} ('{_command_of(error)} --help' shows how)", InputError.exit_code)
    except EclipError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        return _fail(f"{error.filename or 'eclip'}: {error.strerror or error}", EclipError.exit_code)
    except (KeyboardInterrupt, app.Abort):
        return _fail("interrupted", 130)


def _command_of(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "eclip"


def _fail(message: str, exit_code: int) -> int:
    line = " ".join(message.split())
    sys.stderr.write(f"eclip: {line}\n")
    return exit_code
