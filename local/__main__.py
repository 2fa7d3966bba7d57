"""Run Batchyard on this machine: `python -m local run [--input FILE] [--out FOLDER]` or `python -m local up`."""

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from local.errors import LocalError
from local.run import check_paths, run
from local.stack import running
from local.up import up
from local.workplace import workplace

_WATCH_SECONDS = 0.5


class Stopped(BaseException):
    """Someone asked the program to end; its number is that of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


def main(arguments: list[str] | None = None) -> int:
    """Obey the command line; return 0 when done, 1 when it failed, 2 when not understood, 128 + a signal's number."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, _stop)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # neither a profile nor an endpoint of the user's may reach the engine's clients
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        status: int = options.command(options)
    except Stopped as stopped:
        return stopped.status
    except LocalError as error:
        _say(str(error))
        return error.status
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="Batchyard on this machine.")
    commands = parser.add_subparsers(required=True, metavar="run|up")
    one = commands.add_parser("run", help="one batch, end to end")
    one.add_argument("--input", type=Path, default=Path("local/requests.jsonl"), help="a JSONL file of batch requests")
    one.add_argument("--out", type=Path, default=Path("out"), help="the folder for the results")
    one.set_defaults(command=_run)
    whole = commands.add_parser("up", help="the whole stack until Ctrl-C")
    whole.set_defaults(command=_up)
    return parser


def _run(options: argparse.Namespace) -> int:
    check_paths(options.input, options.out)
    with workplace() as folder, running(folder, os.environ, _say) as stack:
        return run(stack, options.input, options.out)


def _up(_options: argparse.Namespace) -> int:
    with workplace() as folder, running(folder, os.environ, _say) as stack:
        try:
            up(stack)
        except Stopped:
            _say("Ending the stack …")
    return 0


def _stop(number: int, _frame: FrameType | None) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # once is enough: ending takes seconds and should not be torn
    raise Stopped(number)


def _end_with_parent(parent: int) -> None:
    # `make`, or a terminal, may be killed without a word to us
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
