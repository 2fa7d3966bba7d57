"""Start the provider emulator: `python -m local.emulator`."""

import sys

from local.emulator.cli import main

if __name__ == "__main__":
    sys.exit(main())
