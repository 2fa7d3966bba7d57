"""The command `batchyard`: from the command line to an exit status, without a stack trace for a fault of the user's.

0 all is good · 1 some rows failed · 2 the command or the input is wrong · 3 the service refuses · 4 stopped, not finished
"""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from .command.cli import batchyard
from .errors import FrontError, Stopped


def start() -> NoReturn:
    """Obey the command line, and end the process."""
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    status = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has enough
    sys.stderr.flush()
    if status == Stopped.status:
        os._exit(status)  # a thread may wait for a connection that is gone; all that matters is on disk
    sys.exit(status)


def main(arguments: list[str]) -> int:
    """Obey the arguments, and return the exit status."""
    try:
        found = batchyard.main(arguments, prog_name="batchyard", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        from .command.words import stopped_words  # noqa: PLC0415 - only here

        click.echo(stopped_words(arguments), err=True)
        return Stopped.status
    except BrokenPipeError:
        return 0
    except FrontError as error:
        click.echo(f"batchyard: {error}", err=True)
        return error.status
    except Exception as error:  # noqa: BLE001 - what is no fault of the user's is raised again
        return _fault(error)
    return found if isinstance(found, int) else 0


def _fault(error: Exception) -> int:
    """Tell a fault of a file as one of the user's; anything else is a fault of ours, and shows where it is."""
    if isinstance(error, OSError):
        click.echo(f"batchyard: {error.filename or 'a file'}: {error.strerror or error}", err=True)
        return 2
    raise error


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    start()
