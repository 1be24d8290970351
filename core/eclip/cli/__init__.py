"""The commands `eclip` and `kubectl eclip`. One module per command; this one turns errors into a line and an exit code.

Exit codes: 0 done, 1 failed, 2 bad input, 3 infeasible, 4 not in force (errors.py), 130 interrupted.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eclip.errors import EclipError, InputError

if TYPE_CHECKING:
    from typer import Typer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `eclip` with the arguments (default: of this process) and return its exit code."""
    from eclip.cli import app

    return _main(app.COMMANDS, "eclip", arguments)


def kubectl_main(arguments: Sequence[str] | None = None) -> int:
    """Run `kubectl eclip`, which kubectl finds as `kubectl-eclip`."""
    from eclip.cli import kubectl

    return _main(kubectl.COMMANDS, "kubectl eclip", arguments)


def _main(commands: "Typer", name: str, arguments: Sequence[str] | None) -> int:
    from eclip.cli import app

    try:
        return int(commands(args=arguments, prog_name=name, standalone_mode=False) or 0)
    except app.UsageError as error:
        return _fail(name, f"{error.format_message()} ('{_command_of(error)} --help' shows how)", InputError.exit_code)
    except EclipError as error:
        return _fail(name, str(error), error.exit_code)
    except OSError as error:
        return _fail(name, f"{error.filename or name}: {error.strerror or error}", EclipError.exit_code)
    except (KeyboardInterrupt, app.Abort):
        return _fail(name, "interrupted", 130)


def _command_of(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "eclip"


def _fail(name: str, message: str, exit_code: int) -> int:
    line = " ".join(message.split())
    sys.stderr.write(f"{name}: {line}\n")
    return exit_code
