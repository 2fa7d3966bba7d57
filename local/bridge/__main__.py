"""Start the bridge: `python -m local.bridge`."""

import sys

from local.bridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
