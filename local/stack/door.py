"""Where a running `make up` is reached: a file in the folder of its run, for other commands on this machine."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.stack.run_folder import RUNS, living_runs

_NAME = "doors.json"
_OWNER_ALONE = 0o600  # the file holds an API key


@contextmanager
def open_doors(folder: Path, addresses: Mapping[str, str]) -> Iterator[None]:
    """Keep the addresses in the folder of a run while the block lasts; the owner alone can read them."""
    path = folder / _NAME
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ALONE), "w", encoding="utf-8") as file:
        json.dump(dict(addresses), file)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def find_doors(runs: Path = RUNS) -> list[dict[str, Any]]:
    """Return the addresses of every stack that is up, oldest first; a run that was killed is none of them."""
    return [json.loads(path.read_text("utf-8")) for run in living_runs(runs) if (path := run / _NAME).is_file()]
