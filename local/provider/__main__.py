"""Start the provider emulator: `python -m local.provider`."""

import sys

from local.provider.cli import main

if __name__ == "__main__":
    sys.exit(main())
