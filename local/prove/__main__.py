"""Prove a provider: `python -m local.prove [--provider NAME] [--model NAME] [--yes 1] [--json 1]`."""

import sys

from local.prove.cli import main

if __name__ == "__main__":
    sys.exit(main())
