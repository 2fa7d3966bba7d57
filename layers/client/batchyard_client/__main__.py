"""The command `batchyard`: from the command line to an exit status, without a stack trace for a fault of the user's.

0 all is good · 1 some rows failed · 2 the command or the input is wrong · 3 the service refuses · 4 stopped, not finished
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from .command.schedule_words import batchyard
from .errors import FrontError, Stopped


def start() -> NoReturn:
    """Obey the command line, and end the process."""
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process
    sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere  # these are None if they were closed
    status = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere.fileno(), stream.fileno())  # whoever read has enough
    if status == Stopped.status:
        os._exit(status)  # a thread may wait for a connection that is gone; all that matters is on disk
    sys.exit(status)


def main(arguments: list[str]) -> int:
    """Obey the arguments, and return the exit status."""
    try:
        found = batchyard.main(arguments, prog_name="batchyard", standalone_mode=False)
    except click.ClickException as error:
        with suppress(BrokenPipeError):  # nobody reads it
            error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        from .command.words import stopped_words  # noqa: PLC0415 - only here

        _tell(stopped_words(arguments))
        return Stopped.status
    except BrokenPipeError:
        return 0
    except FrontError as error:
        _tell(f"batchyard: {error}")
        return error.status
    except Exception as error:  # noqa: BLE001 - what is no fault of the user's is raised again
        return _fault(error)
    return found if isinstance(found, int) else 0


def _fault(error: Exception) -> int:
    """Tell a fault of a file as one of the user's; anything else is a fault of ours, and shows where it is."""
    if isinstance(error, OSError):
        _tell(f"batchyard: {error.filename or 'reading or writing'}: {error.strerror or error}.")
        return 2
    raise error


def _tell(text: str) -> None:
    with suppress(BrokenPipeError):  # nobody reads it
        click.echo(text, err=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    start()
