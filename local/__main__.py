"""Run `python -m local`: Ctrl-C is heard before the modules are read, which takes a second or more."""

import sys

from local.signals import exit_on_signals


def start() -> int:
    """Obey the command line, and return the exit status."""
    exit_on_signals()
    from local.layers import find_layers  # noqa: PLC0415 - not before the line above

    find_layers()
    from local.cli import main  # noqa: PLC0415 - it needs the layers

    return main()


if __name__ == "__main__":
    sys.exit(start())
