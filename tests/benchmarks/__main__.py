"""Print how the project's work compares with a baseline timed in the same run.

`python -m tests.benchmarks [--full] [upload] [import] [plan] [assemble] [door]`
"""

import argparse
import importlib
import os
import sys

from tests.benchmarks.measure import PATH

PARTS = {"upload": "upload", "import": "importing", "plan": "plan", "assemble": "assemble", "door": "door"}


def main() -> None:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument(
        "--full", action="store_true", help="memory at 1 GB and at 5 M lines too (minutes, 2.2 GB disk)"
    )
    given = parser.parse_args()
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    sys.path += PATH.split(os.pathsep)
    for part in given.parts or PARTS:
        for row in importlib.import_module(f"tests.benchmarks.{PARTS[part]}").rows(full=given.full):
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
