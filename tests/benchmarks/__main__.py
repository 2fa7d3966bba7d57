"""Print how the project's work compares with a baseline timed in the same run.

`python -m tests.benchmarks [--full] [--files N] [upload] [import] [plan] [assemble] [door] [console] [tables] [fleet] [gather]`
"""

import argparse
import importlib
import os
import sys
from collections.abc import Iterator

from tests.benchmarks.measure import PATH
from tests.benchmarks.row import Row

PARTS = {
    "upload": "upload",
    "import": "importing",
    "plan": "plan",
    "assemble": "assemble",
    "door": "door",
    "console": "console",
    "tables": "tables",
}
STACKS = {
    "fleet": 200,
    "gather": 1_000,
}  # minutes on all cores, so only where they are named; and how many files they have


def main() -> None:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    of_all = f"some of {', '.join(PARTS)}; all of these by default. And {', '.join(STACKS)}, only where they are named"
    parser.add_argument("parts", nargs="*", metavar="part", help=of_all)
    parser.add_argument("--files", type=int, help=f"how many files these have, by default {STACKS}")
    parser.add_argument(
        "--full", action="store_true", help="memory at 1 GB and at 5 M lines too (minutes, 2.2 GB disk)"
    )
    given = parser.parse_args()
    unknown = set(given.parts) - {*PARTS, *STACKS}
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    sys.path += PATH.split(os.pathsep)
    for part in given.parts or PARTS:
        for row in _rows(part, given):
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()


def _rows(part: str, given: argparse.Namespace) -> Iterator[Row]:
    """Run one part; the modules of a part are imported when the part is run."""
    if part in STACKS:
        files = given.files or STACKS[part]
        yield from importlib.import_module(f"tests.benchmarks.{part}").rows(full=given.full, files=files)
    else:
        yield from importlib.import_module(f"tests.benchmarks.{PARTS[part]}").rows(full=given.full)


if __name__ == "__main__":
    main()
