"""Hold the stores against a second judge: `python -m tests.conformance [arguments of pytest]`.

The judge is Amazon's DynamoDB Local, which listens on every address. So the judge and the tests have a network of their own,
in which no other machine is.
"""

import os
import sys
from pathlib import Path
from typing import Final

from tests.conformance.needs import NETWORK, missing
from tests.system.packages import installed

PACKAGE: Final = Path(__file__).parent / "npm"


def main() -> None:
    """Go on in a network of its own, as the same process; say what is missing where that cannot be."""
    lacking = missing()
    if lacking:
        sys.exit(f"The stores were not held against DynamoDB Local. {lacking}")
    inside = [sys.executable, "-m", "tests.conformance.inside", str(installed(PACKAGE)), *sys.argv[1:]]
    os.execvp(NETWORK[0], [*NETWORK, *inside])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
